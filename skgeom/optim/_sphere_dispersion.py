"""SphereDispersion: points spread over the sphere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags

from skgeom._array import in_full_precision
from skgeom._core.pairs._bounds import tammes_bound
from skgeom._estimator import GeometryTransformer, RowsAtFit, features_of, keep, twin_of
from skgeom._typing import Array
from skgeom._validation import check_choice, check_count, check_plane, check_positive
from skgeom._warnings import warn
from skgeom.optim._callbacks import WithUpdates, with_callbacks
from skgeom.optim._checks import check_checkpoint, check_verbose
from skgeom.optim._history import History
from skgeom.optim._interrupts import interrupts_wait, raise_kept, terminated_as_interrupted
from skgeom.optim._requirement import load

_POLISHED = 500
"""Number of points up to which polish="auto" polishes: in 64 dimensions half a minute."""


class SphereDispersion(WithUpdates, ClassNamePrefixFeaturesOutMixin, GeometryTransformer):
    r"""Spread points over the unit sphere.

    The rows of X, divided by their norms, move along great circles under :class:`RiemannianAdam`, to minimise a loss of
    their closeness; the learning rate falls to 0 along half a cosine. At the end a polish maximises the minimum angle
    itself. `min_angle_`, `bound_` and `optimality_` measure the result.

    Parameters
    ----------
    loss : str or callable, default="mma"
        The loss to minimise: a measure of `skgeom.metrics` of directions alone, where less is better: "mma", "koleo",
        "mmcs", "uniformity", "kernel_energy" (Gaussian), "laplace_energy", "geodesic_gaussian_energy",
        "geodesic_laplace_energy", "riesz_energy", "mhe", "mmd_uniform", "lloyd", "sliced_dispersion",
        "axis_sliced_dispersion", "spherical_sliced_wasserstein", "cosine_regularizer", "average_cosine" or
        "partition_dispersion", with its default parameters; or a callable from a Torch tensor (n, d) to a 0-d tensor,
        as ``functools.partial(kernel_energy, gamma=12.5)``.
    learning_rate : float, default=0.02
        Approximate distance that a point moves in one of the first updates, in radians. A tenth of the expected angle
        is a good value.
    max_iter : int, default=1000
        Number of updates.
    batch_size : int, default=None
        Number of random points that interact in an update; an epoch uses each point once, except a remainder that fills
        no batch. None takes all points, O(n²) time for each update.
    n_init : int, default=1
        Number of starts. The first is at X; the others are at uniformly random points, as many as X has rows. The best
        is kept: the largest minimum angle if polished, else the lowest loss.
    polish : {"auto", True, False}, default="auto"
        Whether to minimise the largest cosine at the end, for any loss. "auto" does so for up to 500 points.
        The points never come out closer, but they may move far: False gives the minimum of the loss itself.
    device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
        Where host data are computed; results come back as NumPy. None stays where X is. The polish is done on the host.
    random_state : int, RandomState instance or None, default=None
        Seed of batches, of random losses and of the starts. The global generators are not used.
    verbose : int, default=0
        Whether to print the loss, ten times per start.
    checkpoint : str or path, default=None
        A file for the complete state, written under a temporary name and moved into place. A fit that finds the file
        continues from it, and equals an uninterrupted one bit for bit; parameters and data must be the same as when it
        was written, otherwise it raises. Functions are compared by name, code and the numbers, strings and arrays they
        hold, other objects by class. The file is removed when a fit is complete, and stays after an interrupt or an
        exception.
    checkpoint_every : int, default=100
        Number of updates between two checkpoints.

    Attributes
    ----------
    embedding_ : array of shape (n_samples, n_features)
        The spread points: unit rows, in the library and dtype of X.
    min_angle_ : float
        The minimum angle between two points, in radians.
    bound_ : float
        `tammes_bound`: no arrangement of as many points has a larger minimum angle.
    optimality_ : float
        `min_angle_` / `bound_`, in [0, 1]. 1 is optimal; the best known codes that miss the bound have about .96.
    loss_ : float
        The loss of the best start, before the polish; of its last batch if there are batches.
    n_iter_ : int
        Number of updates from the best start.
    history_ : History
        `iteration` and `loss` from the best start.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    TypeError
        If a parameter is of the wrong kind, or the loss returns no 0-d tensor.
    ValueError
        If X is not a finite matrix of at least two rows and two columns, a row is zero, a parameter is out of range, or
        the loss is not differentiable.
    RuntimeError
        If a GPU is requested and none is visible.

    Warns
    -----
    ConvergenceWarning
        If the fit was interrupted, or the loss of the best start became infinite or rose. The best state is kept.

    See Also
    --------
    spherical_code : The best arrangement, without given points; faster and better if there are none.
    RiemannianAdam : The optimiser, for other loops.
    EmbeddingOptimizer : Other objectives and free norms; ``constraint="sphere"`` with monitors.

    Notes
    -----
    Like TSNE, it moves the rows of X and cannot transform others: it can only be the last step of a Pipeline, and
    scorers take it only on the rows of the fit. Rows with equal directions are first separated by random steps of a
    tenth of `bound_`, because all losses are flat between them.

    The optimum of 24 points in d = 3 is 43.6908 degrees, the snub cube (`tammes_bound` explains why the
    published 48.535 is wrong). In degrees, the best of three starts, unpolished, after 1500 updates:

    ======================================  =====  ==================================  =====
    mma, koleo                              43.69  sliced_dispersion                   33.11
    mmcs                                    43.69  spherical_sliced_wasserstein        38.96
    gaussian, gamma=12.5                    42.86  gaussian, mmd_uniform               37.90
    riesz, s = 0, 1, 2                      41.9   uniformity                          41.48
    laplace                                 41.83  mhe                                 41.30
    lloyd                                   40.69  riesz, s = 12, too stiff            23.5
    geodesic_laplace                        40.44  axis_sliced_dispersion              15.7
    ======================================  =====  ==================================  =====

    A loss of nearest neighbours maximises a mean, which need not be the minimum angle: 5 points reach angles of
    89.09 and 97.24 degrees under "mma", though all could be 90, and the polish attains that.

    Elementwise Adam with a projection back to the sphere reached .03 degrees with the Gaussian kernel of rows that
    the loss does not normalise, as in much code: the part of the gradient along the rows distorts the step size.

    An exception or interrupt before the first update leaves the estimator as it was. After it any exception, ValueError
    too, passes to the caller with a note, once the best state and the history are set; only an interrupt (Ctrl-C, or
    SIGTERM in the main thread) and parameters or losses that diverge end the fit with a warning. An infinite loss with
    a finite gradient does not end the fit.

    O(n² d) time for each update, or O(b² d + n d) with batches of b, and some copies of X in memory.

    References
    ----------
    Tokarchuk et al. 2025, Keep your distance, arXiv:2502.08231.

    Examples
    --------
    >>> from math import degrees
    >>> import numpy as np
    >>> from skgeom.optim import SphereDispersion
    >>> X = np.random.default_rng(0).normal(size=(12, 3))
    >>> spread = SphereDispersion(max_iter=100, random_state=0).fit(X)
    >>> round(degrees(spread.min_angle_), 4), round(spread.optimality_, 6)
    (63.4349, 1.0)
    """

    def __init__(
        self,
        loss: str | Callable[..., Any] = "mma",
        *,
        learning_rate: float = 0.02,
        max_iter: int = 1000,
        batch_size: int | None = None,
        n_init: int = 1,
        polish: bool | Literal["auto"] = "auto",
        device: str | None = None,
        random_state: Any = None,
        verbose: int = 0,
        checkpoint: Any = None,
        checkpoint_every: int = 100,
    ) -> None:
        self.loss = loss
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.n_init = n_init
        self.polish = polish
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.array_api_support = False
        return tags

    @with_callbacks
    def fit(self, X: Any, y: Any = None) -> Self:
        """Spread the rows of X.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            The points to start from, one per row, of any length but zero.
        y : ignored
            For the API.

        Returns
        -------
        self
            The fitted estimator.
        """
        self._check_parameters()
        modes = load("_modes")
        with modes.own_modes():
            self._fit(load("_spreading"), X, y)
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Array:
        """Spread the rows of X, and return them.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            The points to start from, one per row, of any length but zero.
        y : ignored
            For the API.

        Returns
        -------
        array of shape (n_samples, n_features)
            `embedding_`.
        """
        return self.fit(X).embedding_

    @in_full_precision
    def _fit(self, spreading: Any, X: Any, y: Any) -> None:
        checked = twin_of(self)
        x = checked._checked(X, reset=True, min_samples=2)
        check_plane(x)
        polishes = x.shape[0] <= _POLISHED if self.polish == "auto" else self.polish
        run = spreading.Spreading(self, x, polishes)
        known = {**features_of(checked), "_rows_at_fit": RowsAtFit(x)}
        with self._updates(self.n_init * self.max_iter, X, y) as updates:
            with terminated_as_interrupted(), interrupts_wait() as interruptible:
                found = run.run(updates, interruptible)
                keep(self, lambda: {**known, **self._reached(run, found.best)}, ())
            raise_kept(found.last)
            if found.last.is_complete and run.checkpoint is not None:
                run.checkpoint.remove()
            self._warn(found)

    @staticmethod
    def _reached(run: Any, best: Any) -> dict[str, Any]:
        """Return the fitted attributes of the best start."""
        n, d = best.points.shape
        bound = tammes_bound(n, d)
        return {
            "embedding_": run.as_input(best.points),
            "min_angle_": best.angle,
            "bound_": bound,
            "optimality_": best.angle / bound,
            "loss_": best.outcome.loss,
            "n_iter_": best.outcome.n_iter,
            "history_": History([], [], best.history),
            "_n_features_out": d,
        }

    def _check_parameters(self) -> None:
        check_positive(self.learning_rate, "learning_rate")
        check_count(self.max_iter, "max_iter")
        if self.batch_size is not None:
            check_count(self.batch_size, "batch_size", low=2)
        check_count(self.n_init, "n_init")
        if not isinstance(self.polish, np.bool_):
            check_choice(self.polish, ("auto", True, False), "polish")
        check_checkpoint(self.checkpoint, self.checkpoint_every)
        check_verbose(self.verbose)

    def _warn(self, found: Any) -> None:
        outcome = found.last if found.last.was_interrupted else found.best.outcome
        if outcome.trouble:
            warn(
                f"The spreading stopped after {outcome.n_iter} updates because {outcome.trouble}. The state after "
                f"{outcome.kept} updates, with the lowest loss found ({outcome.loss:.5g}), is kept. If nobody "
                f"interrupted it, try a learning_rate below {self.learning_rate:g}.",
                ConvergenceWarning,
            )
