"""Classification by embeddings of the class names, without labelled examples."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, Self, TypeAlias, get_args

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from skgeom._array import asarray_like, is_foreign, namespace, row_blocks, to_numpy
from skgeom._core import _two_clouds
from skgeom._core._labels import labels_of
from skgeom._core._rows import norms, unit_or_zero
from skgeom._core._threads import map_rows
from skgeom._core.sums._clusters import class_moments
from skgeom._estimator import OnDevice, all_at_once, features_of
from skgeom._typing import Array
from skgeom._validation import (
    check_choice,
    check_classes,
    check_same_kind,
    check_squares,
    check_temperature,
    listed,
)
from skgeom._warnings import warn

Logits: TypeAlias = Literal["cosine", "dot", "distance"]
"""The comparison of a row with a class."""

_RULES = {
    "cosine": _two_clouds.cosine_scores,
    "dot": _two_clouds.dot_scores,
    "distance": _two_clouds.distance_scores,
}


class ZeroShotClassifier(ClassifierMixin, OnDevice):
    r"""Classify embeddings by the nearest class embedding, as CLIP does with class names.

    `fit` takes the embeddings of the classes, not labelled examples: one row per prompt ("a photo of a cat", "a
    drawing of a cat"), with the class that it names. The predicted class has the largest logit

    ============  ============================================  ================================================
    logits        of the query x and the class embedding c      class embedding of the prompts p
    ============  ============================================  ================================================
    "cosine"      :math:`\cos(x, c)`                            mean of the p/‖p‖, divided by its length
    "dot"         :math:`\langle x, c \rangle`                  mean of the p
    "distance"    :math:`1 - \tfrac12 \lVert x - c \rVert^2`    mean of the p
    ============  ============================================  ================================================

    On unit rows, with one unit prompt per class, the three are the same numbers. Elsewhere "dot" favours long
    class embeddings, and "distance" is the rule of the nearest mean.

    Parameters
    ----------
    logits : {"cosine", "dot", "distance"}, default="cosine"
        The rule, as above. Only "cosine" ignores the lengths of the rows.
    temperature : float, default=0.01
        Probabilities are softmax(logits / temperature); classes do not depend on it. CLIP learnt 0.01 for cosines.
    aligner : transformer, default=None
        A fitted transformer that maps queries into the space of the class embeddings before they are classified, for
        instance an aligner of images to text. Wrap it in `sklearn.frozen.FrozenEstimator`, or `clone`, as in
        `cross_validate`, forgets the earlier fit.
    device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
        Where host data are computed; results and attributes come back as NumPy. None stays where X is.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted.
    class_embeddings_ : array of shape (n_classes, n_features)
        One embedding per class, in float64, in the library of X.
    n_features_in_ : int
        Number of features of the queries; with an aligner, only if it has this attribute.
    feature_names_in_ : ndarray of str
        Only without aligner, and if the class embeddings came with names.

    Raises
    ------
    TypeError
        If the temperature is not a number.
    ValueError
        If X is not a finite matrix or, but for "cosine", has magnitudes whose squares leave the range of float64, y is
        not one class per row, the unit prompts of a class cancel or are all zero (with "cosine"), the temperature
        is not from 1e-30 to 1e30, the name of the logits is unknown, or queries differ from the class embeddings in
        width, library or device.
    sklearn.exceptions.NotFittedError
        If the aligner is not fitted.

    Warns
    -----
    UserWarning
        If a query is zero, with "cosine".

    See Also
    --------
    sklearn.neighbors.NearestCentroid : The rule of the nearest mean, with other metrics.
    sklearn.frozen.FrozenEstimator : Keeps a fitted aligner through `clone`.

    Notes
    -----
    Ties between equal class embeddings or equal logits go to the first class. Labels are NumPy arrays for any library;
    logits and probabilities stay in the library and on the device of the queries, in their dtype. Invariant to rotation
    of the space. O(n d k) time.

    References
    ----------
    .. [1] Radford et al. 2021, Learning transferable visual models from natural language supervision, arXiv:2103.00020.
    .. [2] Tyshchuk et al. 2023, On isotropy of multimodal embeddings, doi:10.3390/info14070392 (the three logits).

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.multimodal import ZeroShotClassifier
    >>> prompts = np.array([[1.0, 0.1], [1.0, -0.1], [0.0, 2.0]])
    >>> classifier = ZeroShotClassifier().fit(prompts, ["cat", "cat", "dog"])
    >>> classifier.predict(np.array([[3.0, 1.0], [1.0, 9.0]]))
    array(['cat', 'dog'], dtype='<U3')
    >>> classifier.predict_proba(np.array([[1.0, 1.0]]))
    array([[0.5, 0.5]])
    """

    def __init__(
        self,
        *,
        logits: Logits = "cosine",
        temperature: float = 0.01,
        aligner: Any = None,
        device: str | None = None,
    ) -> None:
        self.logits = logits
        self.temperature = temperature
        self.aligner = aligner
        self.device = device

    @all_at_once
    def fit(self, X: Any, y: Any) -> Self:
        """Learn one embedding per class.

        Parameters
        ----------
        X : array of shape (n_prompts, n_features)
            Embeddings of the prompts, one per row, at least one per class.
        y : array of shape (n_prompts,)
            The class of each prompt.

        Returns
        -------
        self
            The fitted classifier.
        """
        check_choice(self.logits, get_args(Logits), "logits")
        check_temperature(self.temperature)
        x = self._cloud(X)
        validate_data(self, X, y, skip_check_array=True)
        self.classes_, codes = check_classes(y, x.shape[0])
        if self.aligner is not None:
            check_is_fitted(self.aligner)
            for name in features_of(self):  # those of the prompts
                delattr(self, name)
            if hasattr(self.aligner, "n_features_in_"):
                self.n_features_in_ = self.aligner.n_features_in_
        x = self._placed(x)
        if self.logits == "cosine":
            embeddings = _mean_directions(x, codes, self.classes_)
        else:
            check_squares(x, "X")
            embeddings = class_moments(x, labels_of(codes)).mean
        self.class_embeddings_ = self._leave(embeddings)
        self._first_of_equals = _first_of_equals(to_numpy(self.class_embeddings_))
        return self

    def decision_function(self, X: Any) -> Array:
        """Return the logits, before the temperature.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            The queries.

        Returns
        -------
        array of shape (n_samples, n_classes), or (n_samples,) for two classes
            The logits; for two classes the logit of the second less that of the first.
        """
        check_is_fitted(self)
        return self._of_logits(X, _second_less_first if self.classes_.size == 2 else lambda logits: logits)

    def predict_proba(self, X: Any) -> Array:
        """Return the softmax of the logits over the temperature.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            The queries.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Probabilities of the classes, in the order of `classes_`; each row sums to 1.
        """
        return self._of_logits(X, partial(_two_clouds.softmax, temperature=float(self.temperature)))

    def predict(self, X: Any) -> np.ndarray:
        """Return the class of the largest logit.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            The queries.

        Returns
        -------
        ndarray of shape (n_samples,)
            The classes; the first of those with equal logits.
        """
        best = self._of_logits(X, lambda logits: namespace(logits).argmax(logits, axis=1))
        return self.classes_[self._first_of_equals[to_numpy(best)]]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of queries that are assigned to their class.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            The queries.
        y : array of shape (n_samples,)
            Their classes, all of them seen at fit.
        sample_weight : array of shape (n_samples,), default=None
            Weights of the queries.

        Returns
        -------
        float
            The accuracy, in [0, 1], best = 1.
        """
        check_is_fitted(self)
        _check_known_classes(y, self.classes_)
        return super().score(X, to_numpy(y) if is_foreign(y) else y, sample_weight=sample_weight)

    def _of_logits(self, X: Any, function: Callable[[Array], Array]) -> Array:
        """Return a function of the logits (b, k) of blocks of queries."""
        x, rule = self._queries(X), _RULES[self.logits]
        if self.device is None:
            check_same_kind(x, self.class_embeddings_, ("X", "the class embeddings"))
        if self.logits == "cosine":
            _warn_of_zero_rows(x)
        else:
            check_squares(x, "X")

        def mapped(x: Array) -> Array:
            embeddings = self.class_embeddings_
            if self.device is not None:
                embeddings = asarray_like(embeddings, x, dtype=namespace(x).float64)
            return map_rows(lambda rows: function(rule(rows, embeddings)), x, columns=2 * embeddings.shape[0])

        return self._by_rows(mapped, x)

    def _queries(self, X: Any) -> Array:
        """Return the queries in the space of the class embeddings."""
        check_is_fitted(self)
        if self.aligner is not None:
            return self._cloud(self.aligner.transform(X), name="The aligned X")
        x = self._cloud(X)
        validate_data(self, X, reset=False, skip_check_array=True)
        return x


def _second_less_first(logits: Array) -> Array:
    return logits[:, 1] - logits[:, 0]


def _warn_of_zero_rows(x: Array) -> None:
    xp = namespace(x)
    zeros = sum(int(xp.count_nonzero(xp.max(xp.abs(x[rows, :]), axis=1) == 0)) for rows in row_blocks(x))
    if zeros:
        warn(
            f"X has {zeros} zero row{'s'[: zeros > 1]}, without direction: the first class is predicted.",
        )


def _first_of_equals(rows: np.ndarray) -> np.ndarray:
    """Return the position of the first row equal to each, because a matrix product may round equal rows differently."""
    _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return first[which.ravel()]


def _mean_directions(x: Array, codes: np.ndarray, classes: np.ndarray) -> Array:
    """Return the mean of the unit rows of each class, divided by its length, in float64."""
    means = class_moments(x, labels_of(codes), prepare=unit_or_zero).mean
    lengths = norms(means)
    _check_class_directions(to_numpy(lengths), classes)
    return means / lengths[:, None]


def _check_class_directions(lengths: np.ndarray, classes: np.ndarray) -> None:
    """Check that the mean unit row of each class has a length above rounding."""
    empty = classes[lengths <= 1e-12]
    if empty.size:
        raise ValueError(
            f"The prompts of class {empty.tolist()[0]!r} cancel: the mean of their unit rows is zero and has no "
            'direction. Drop one of them, or use logits="distance".'
        )


def _check_known_classes(y: Any, classes: np.ndarray) -> None:
    """Check that all classes in y were seen at fit."""
    values = to_numpy(y) if is_foreign(y) else y
    unseen = np.setdiff1d(check_classes(values, len(values))[0], classes)
    if unseen.size:
        raise ValueError(
            f"y has class {unseen.tolist()[0]!r}, which was not seen at fit: the classes are "
            f"{listed(classes.tolist())}. Fit with an embedding of that class, or drop these rows."
        )
