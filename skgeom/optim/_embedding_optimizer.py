"""EmbeddingOptimizer: rows, or a map of rows, moved by gradients of named objectives."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Literal, Self, TypeAlias, get_args

from sklearn.base import ClassNamePrefixFeaturesOutMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skgeom._array import asarray_like, in_full_precision
from skgeom._estimator import GeometryTransformer, RowsAtFit, features_of, keep, twin_of
from skgeom._typing import Array
from skgeom._validation import check_choice, check_count, check_flag, check_positive, check_real, check_squares
from skgeom._warnings import warn
from skgeom.metrics._measure import MEASURES
from skgeom.optim._callbacks import WithUpdates, with_callbacks
from skgeom.optim._checks import check_checkpoint, check_head, check_pair_rows, check_verbose
from skgeom.optim._constraint import Constraint, on_spheres, radii
from skgeom.optim._interrupts import interrupts_wait, raise_kept, terminated_as_interrupted
from skgeom.optim._requirement import load

Parametrization: TypeAlias = Literal["points", "linear"]
"""The moving parameters: the rows, or a linear map of them."""

Optimizer: TypeAlias = Literal["adam", "sgd"]
"""The rules of the updates."""

HeadName: TypeAlias = Literal["linear", "distance"]
"""The classifiers by name."""

HeadKind: TypeAlias = HeadName | Callable[[int, int], Any]
"""A classifier by name, or a function from the numbers of features and outputs to a module of Torch."""

Objective: TypeAlias = str | Callable[..., Any] | dict[Any, Any]
"""A loss by name, a function, or a dict of either with their weights."""

Monitor: TypeAlias = str | Callable[..., Any] | list[Any] | tuple[Any, ...]
"""A measure by name, a function, or several of either."""

_FITTED = ("embedding_", "map_", "coef_", "intercept_", "prototypes_", "head_", "classes_")
_SUPERVISED = {
    "cross_entropy",
    "binary_cross_entropy",
    *(name for name, row in MEASURES.items() if row.needs in ("labels", "partners", "clouds")),
}
"""Objectives that need y."""


class EmbeddingOptimizer(WithUpdates, ClassNamePrefixFeaturesOutMixin, GeometryTransformer):
    r"""Optimise an embedding under objectives, and record its geometry.

    Minimises :math:`\sum_k w_k f_k` over a linear map of the rows, or over the rows themselves, with Adam or plain
    gradient steps. With ``parametrization="points"`` it is the experiment of [1]_: embeddings are trained under the
    cross-entropy of a linear classifier, and IsoScore and silhouette are measured, exactly, after each update.

    Parameters
    ----------
    objective : str, callable or dict, default="cross_entropy"
        The loss to minimise. A name: "cross_entropy" (`y` holds class labels) or "binary_cross_entropy" (`y` is a
        multi-label indicator), both of the `head`, a classifier that is trained with the rows, or a differentiable
        measure of `skgeom.metrics`: "isoscore", "silhouette_objective", "uniformity", "retention" (stay near the start)
        and so on; those of labelled rows take the clusters of `y`, those of two clouds, as "alignment_loss" and
        "clip_loss", take target embeddings as `y`. A callable: a measure with other parameters,
        ``functools.partial(uniformity, t=4)``, or your own ``f(embedding)``, or ``f(embedding, y)`` if it has a
        parameter of that name, from a Torch tensor (n_samples, n_features) to a 0-d tensor. A dict from names or
        callables to weights :math:`w_k`: negative weights maximise. Without a dict, the named measure is improved:
        minimised if less is better, as for your own callables, else maximised.
    parametrization : {"linear", "points"}, default="linear"
        "linear" learns a square matrix W, starting at the identity, and maps x to x W: `transform` takes new rows, so
        the optimiser can be a step of a Pipeline. "points" moves the rows: like `sklearn.manifold.TSNE` there is
        `fit_transform` but no `transform` of new rows. It can be the last step of a Pipeline, and scorers of skgeom
        score `embedding_` on the rows of the fit, but neither a step before others (scikit-learn raises "intermediate
        steps should be transformers") nor scored on held-out rows.
    constraint : {None, "sphere", "fixed_norm"}, default=None
        "sphere": all rows have norm 1. "fixed_norm": each row keeps its norm in X. Points then move
        along great circles (see `RiemannianAdam`); a linear map is followed by the change of norms.
    head : {"linear", "distance"} or callable, default="linear"
        The classifier on top of the rows that "cross_entropy" and "binary_cross_entropy" train along with them.
        "linear" has the outputs :math:`\langle w_c, x \rangle + b_c`.
        "distance" has :math:`-\lVert x - p_c \rVert^2` with a prototype :math:`p_c` per class, which starts at the
        mean of the class: "cross_entropy" only. (It is the linear head with :math:`w_c = 2 p_c` and
        :math:`b_c = -\lVert p_c \rVert^2`: this tie draws the rows of a class to one point.)
        A function ``head(n_features, n_outputs)`` returns any `torch.nn.Module` from (n, n_features) to
        (n, n_outputs), such as a multilayer perceptron. It stays in training mode; its parameters and its random layers
        on the host draw from `random_state`. With `pairs`, n_features counts both rows of a pair.
        Heads other than "linear" raise if the objective does not train a head.
    fit_intercept : bool, default=True
        Whether the linear head has an intercept. (The model of polarity in [1]_ has none.)
    optimizer : {"adam", "sgd"}, default="adam"
        Adam with the usual moments (.9, .999), or plain gradient descent.
    learning_rate : float, default=1e-3
        Step size of the updates.
    max_iter : int, default=1000
        Number of updates.
    batch_size : int, default=None
        Number of rows (with `pairs`, of pairs) in each update, drawn without replacement in epochs that drop the
        remainder. None takes all.
    monitor : str, callable, list of these or None, default=("isoscore", "silhouette")
        Measures to record: names as in the table of measures, or callables ``f(embedding)`` or ``f(embedding, y)`` that
        get a copy of the rows (as NumPy array, or as tensor on a GPU) and `y` as passed, and return a number. Measures
        of labelled rows take the clusters from `y`: its classes, or the distinct rows of an indicator; without such `y`
        they are left out.
    monitor_every : int, default=1
        Number of updates between two records; the start and the end are always recorded.
    monitor_sample : int, default=None
        Number of rows, at least 100, of a fresh random sample that is measured at each record, as in [1]_ for its
        largest tasks; None measures all rows. All monitors of a record use the same rows; with `pairs`, measures of
        labelled rows use as many pairs, drawn separately. Smaller sets are measured as a whole. See the notes.
    tol : float, default=None
        Stop early if the loss has not fallen more than `tol` below its lowest for 10 updates; with batches, the mean
        loss over an epoch for 10 epochs; of a random objective, over 200 updates for 2000. None never stops.
    warm_start : bool, default=False
        Start from the rows or the map and the head of the previous fit; the moments of Adam and the history start
        again. Under a constraint, the rows get the norms it asks for first.
    device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
        Where host data are computed; None stays where X is.
    random_state : int, RandomState instance or None, default=None
        Seed of the start of the head, the batches and random objectives. The global generator of Torch is not used.
    verbose : int, default=0
        1 prints about ten lines per fit, 2 one per record.
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
        With "points", the optimised rows, in the library of X.
    map_ : ndarray of shape (n_features, n_features)
        With "linear", the matrix W. The mapped rows are not kept.
    coef_ : ndarray of shape (n_outputs, n_features) or (n_outputs, 2 * n_features)
        Weights of the linear head, if there is one; of the second shape with `pairs`.
    prototypes_ : ndarray of shape (n_classes, n_features) or (n_classes, 2 * n_features)
        With ``head="distance"``, the prototypes.
    head_ : torch.nn.Module
        With a callable as head, a copy of its module, trained, in evaluation mode.
    intercept_ : ndarray of shape (n_outputs,)
        Intercepts of the linear head; zeros without.
    classes_ : ndarray of shape (n_classes,)
        The class labels, if `y` has them.
    history_ : History
        The records: ``history_["isoscore"]``, ``history_.loss``, ``history_.to_frame()``; of samples also
        ``history_["isoscore_se"]``.
    n_iter_ : int
        Number of updates done.
    loss_ : float
        Loss of the state that is kept: of the last one, on the last batch if there are batches. After an exception, an
        interrupt, or a loss that rose or diverged, it is the lowest loss, averaged as for `tol`.
    was_interrupted_ : bool
        Whether an interrupt (Ctrl-C) ended the fit.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Raises
    ------
    TypeError
        If an objective or a monitor is neither a name nor a callable, a head does not return a module, or a
        parameter is of the wrong kind.
    ValueError
        If X is not a finite matrix of at least two rows, or has magnitudes whose squares leave the range of float64, a
        name is unknown, a weight is not finite, `y` is missing, has only one class or does not suit the objective,
        `pairs` are out of range, a parameter is out of range, a head is not the objective's or returns outputs of
        another shape, a function of rows and y is to watch a sample of rows where y belongs to pairs, or rows are zero
        under a constraint or a measure of angles.
    ImportError
        At fit, if Torch is not installed.
    RuntimeError
        If a GPU is requested and none is visible.

    Warns
    -----
    ConvergenceWarning
        If the fit was interrupted (Ctrl-C), the loss became infinite or NaN, or it rose above its start: the state of
        the lowest loss and the history are kept, and the message names it. Also if `tol` is given and `max_iter`
        updates were not enough.

    See Also
    --------
    isotropy_cluster_frontier : The trade-off between isotropy and clusters.
    skgeom.preprocessing.Whitening : The most isotropic map in closed form.

    Notes
    -----
    With `pairs`, as in natural-language inference, `y` belongs to pairs of rows: the head, and objectives and monitors
    of labelled rows, take the two rows side by side; everything else takes the rows (the conventions of [1]_).

    Iteration t of the history is the state after t updates, and its loss is the one that update t + 1 reduces, of a
    batch if there are batches. The lowest loss is tracked at each update, and its state is copied at most about a
    hundred times per fit.

    Samples are drawn without replacement by a generator of their own, from `random_state` and the iteration: training
    is the same to the last bit with or without monitors and samples. Measures that fall with the number of rows and
    have a form that does not (``debias=True``: IsoScore, alone or within classes, and the participation ratio) are
    recorded in that form. Each measure by name has a column of standard errors beside it, ``"isoscore_se"``,

    .. math:: \sqrt{(1 - s/n)\, v / 20},

    with v the variance of its values on 20 blocks of the sample of s out of n rows (or pairs). It is the error against
    the same measure of all rows: 0 if all rows are used, and too large if blocks of s/20 rows are few for the
    dimension. It is NaN where a block is too small or has one class only, and where the blocks are, on average, further
    from the sample than twice their standard deviation: then the measure depends on the number of rows, as "dunn",
    "calinski_harabasz", sums and nearest neighbours do, and a sample cannot estimate that of all rows. Functions are
    called once, with the rows and y of the sample, without an error. With the draw and the errors a record costs two to
    five times a measure of s rows that is one pass over them, and one to two times one of all their pairs (2,000 and
    20,000 rows of 384 features).

    With batches, Adam also moves the rows outside a batch, by their momentum, as it does in a layer of Torch; under a
    constraint rows outside do not move. A callable with y gets class codes, an indicator or targets, as a tensor, and
    the rows it gets belong to y unless there are pairs.

    Without batches memory is six to nine times the rows with "points", for Adam, the state kept and an update, and four
    to seven times with "linear", for the mapped rows and their gradient; under a constraint up to 24 and 13 times. The
    monitors measure all rows each time, and are usually the larger share of the time: a silhouette takes O(n² d). Rows
    are float32 or float64 throughout, like X. On one machine, the same seed gives the same result; on a GPU, pairs may
    differ by rounding.

    An exception or interrupt before the first update leaves the estimator as it was. After it any exception, ValueError
    too, passes to the caller with a note, once the best state and the history are set; only an interrupt (Ctrl-C, or
    SIGTERM in the main thread) and parameters or losses that diverge end the fit with a warning. A monitor that fails
    after the start, or whose rows cannot be computed, records NaN and warns once. An infinite loss with a finite
    gradient, as of koleo with equal rows, does not end the fit.

    "points" has no `transform`, like TSNE: before another step of a Pipeline use "linear", or fit the
    optimiser first and train that step on `embedding_`.

    The linear head starts uniform in ±1/√d, as `torch.nn.Linear` does. `map_`, `coef_`, `intercept_` and `prototypes_`
    are NumPy arrays: a pickled linear optimiser transforms without Torch, unless it has a `head_`, whose random layers
    draw on a GPU from the generator of the device. Callbacks of scikit-learn 1.9 (``set_callbacks``) receive each
    update as a task, and can stop the fit; on a search around a Pipeline, ``ProgressBar(max_propagation_depth=None)``
    shows the bars of all fits.

    References
    ----------
    .. [1] Mickus, Grönroos & Attieh 2024, Isotropy, clusters, and classifiers, arXiv:2402.03191.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skgeom.optim import EmbeddingOptimizer
    >>> X, y = load_digits(return_X_y=True)
    >>> optimizer = EmbeddingOptimizer(learning_rate=0.1, max_iter=20, monitor_every=10, random_state=0)
    >>> Z = optimizer.fit_transform(X[:300] / 16, y[:300] % 2)
    >>> history = optimizer.history_
    >>> history.iteration
    array([ 0, 10, 20])
    >>> bool(history["silhouette"][-1] > 0.5), bool(history["isoscore"][-1] < history["isoscore"][0])
    (True, True)
    """

    def __init__(
        self,
        objective: Objective = "cross_entropy",
        *,
        parametrization: Parametrization = "linear",
        constraint: Constraint | None = None,
        head: HeadKind = "linear",
        fit_intercept: bool = True,
        optimizer: Optimizer = "adam",
        learning_rate: float = 1e-3,
        max_iter: int = 1000,
        batch_size: int | None = None,
        monitor: Monitor | None = ("isoscore", "silhouette"),
        monitor_every: int = 1,
        monitor_sample: int | None = None,
        tol: float | None = None,
        warm_start: bool = False,
        device: str | None = None,
        random_state: Any = None,
        verbose: int = 0,
        checkpoint: Any = None,
        checkpoint_every: int = 100,
    ) -> None:
        self.objective = objective
        self.parametrization = parametrization
        self.constraint = constraint
        self.head = head
        self.fit_intercept = fit_intercept
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.monitor = monitor
        self.monitor_every = monitor_every
        self.monitor_sample = monitor_sample
        self.tol = tol
        self.warm_start = warm_start
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.array_api_support = False
        names = self.objective if isinstance(self.objective, dict) else [self.objective]
        tags.target_tags.required = any(isinstance(name, str) and name in _SUPERVISED for name in names)
        return tags

    @with_callbacks
    def fit(self, X: Any, y: Any = None, *, pairs: Any = None) -> Self:
        """Optimise.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            The embeddings to start from, one per row.
        y : array of shape (n_samples,) or (n_samples, n_outputs), default=None
            Class labels, a multi-label indicator or target embeddings, as the objective needs; one per pair if there
            are pairs. If the objective needs none, the monitors use it.
        pairs : array of shape (n_pairs, 2) or (n_items, 1), default=None
            Two positions of rows for each entry of `y`: the pairs that are classified. Or one: items that share rows,
            as sentences that occur several times, under several labels.

        Returns
        -------
        self
            The fitted optimiser.
        """
        self._check_parameters()
        modes = load("_modes")
        with modes.own_modes():
            self._fit(load("_training"), X, y, pairs)
        return self

    def fit_transform(self, X: Any, y: Any = None, *, pairs: Any = None) -> Array:
        """Optimise, and return the embedding.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            The embeddings to start from, one per row.
        y : array of shape (n_samples,) or (n_samples, n_outputs), default=None
            Class labels, a multi-label indicator or target embeddings, as the objective needs.
        pairs : array of shape (n_pairs, 2) or (n_items, 1), default=None
            Two positions of rows for each entry of `y`, or one.

        Returns
        -------
        array of shape (n_samples, n_features)
            The mapped rows, or with "points" `embedding_`.
        """
        self.fit(X, y, pairs=pairs)
        return self.embedding_ if hasattr(self, "embedding_") else self._mapped(X)

    def transform(self, X: Any) -> Array:
        """Map rows; with ``parametrization="linear"`` only.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Embeddings of the same space.

        Returns
        -------
        array of shape (n_samples, n_features)
            The mapped rows, in the dtype and library of X.
        """
        return self._mapped(X)

    @in_full_precision
    def _fit(self, training: Any, X: Any, y: Any, pairs: Any) -> None:
        checked = twin_of(self)
        x = checked._checked(X, reset=True, min_samples=2)
        check_squares(x, "X")
        positions = None if pairs is None else check_pair_rows(pairs, x.shape[0])
        earlier = {name: getattr(self, name) for name in _FITTED if self.warm_start and hasattr(self, name)}
        run = training.Training(self, x, y, positions, earlier)
        known = {**features_of(checked), "_rows_at_fit": RowsAtFit(x)}
        with self._updates(self.max_iter, X, y) as updates:
            with terminated_as_interrupted(), interrupts_wait() as interruptible:
                outcome = run.run(updates, interruptible)
                keep(self, lambda: {**known, **self._reached(run, outcome)}, _FITTED)
            raise_kept(outcome)
            if outcome.is_complete and run.checkpoint is not None:
                run.checkpoint.remove()
            self._warn(outcome)

    @staticmethod
    def _reached(run: Any, outcome: Any) -> dict[str, Any]:
        """Return the fitted attributes after any end of a fit."""
        return {
            **run.attributes(),
            "history_": run.recorded(),
            "n_iter_": outcome.n_iter,
            "loss_": outcome.loss,
            "was_interrupted_": outcome.was_interrupted,
        }

    def _mapped(self, X: Any) -> Array:
        check_is_fitted(self, "map_")
        x = self._receive(X, reset=False)
        if self.constraint is not None:
            check_squares(x, "X")
        z = x @ asarray_like(self.map_, x)
        radius = radii(x, self.constraint)
        return self._leave(z if radius is None else on_spheres(z, radius))

    def _check_parameters(self) -> None:
        check_choice(self.parametrization, get_args(Parametrization), "parametrization")
        check_choice(self.constraint, (None, *get_args(Constraint)), "constraint")
        check_choice(self.optimizer, get_args(Optimizer), "optimizer")
        check_flag(self.fit_intercept, "fit_intercept")
        check_head(self.head, get_args(HeadName), self.fit_intercept)
        check_flag(self.warm_start, "warm_start")
        check_positive(self.learning_rate, "learning_rate")
        check_count(self.max_iter, "max_iter")
        check_count(self.monitor_every, "monitor_every")
        if self.monitor_sample is not None:
            check_count(self.monitor_sample, "monitor_sample", low=100)
        if self.batch_size is not None:
            check_count(self.batch_size, "batch_size", low=2)
        if self.tol is not None:
            check_real(self.tol, "tol", 0)
        check_checkpoint(self.checkpoint, self.checkpoint_every)
        check_verbose(self.verbose)

    def _warn(self, outcome: Any) -> None:
        if outcome.trouble:
            message = (
                f"Optimisation stopped after {outcome.n_iter} updates because {outcome.trouble}. The state after "
                f"{outcome.kept} updates, with the lowest loss found ({outcome.loss:.5g}), and the history are kept. "
                f"If it was not interrupted, try a learning_rate below {self.learning_rate:g}."
            )
        elif self.tol is not None and outcome.n_iter == self.max_iter and not outcome.converged:
            message = (
                f"The loss still falls by more than tol={self.tol:g} after max_iter={self.max_iter} updates. "
                "Increase max_iter, or tol."
            )
        elif outcome.loss == inf:
            message = (
                f"The loss is infinite after {outcome.n_iter} updates, as koleo is while two rows are "
                "equal. Where no other term parts them they stay together: move them apart first."
            )
        else:
            return
        warn(message, ConvergenceWarning)


def _takes_new_rows(optimizer: EmbeddingOptimizer) -> bool:
    if optimizer.parametrization == "linear":
        return True
    raise AttributeError(
        'parametrization="points" moves the rows of X themselves and has no transform of new rows: '
        'use fit_transform, or parametrization="linear". Before another step of a Pipeline, use "linear", or fit the '
        "optimizer first and train that step on embedding_."
    )


# After the class, since scikit-learn wraps `transform` for set_output while the class is made, and would lose this.
EmbeddingOptimizer.transform = available_if(_takes_new_rows)(EmbeddingOptimizer.transform)  # type: ignore[method-assign]
