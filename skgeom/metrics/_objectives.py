"""Objectives that shape a space in training, as their sources define them, with gradients in closed form."""

from __future__ import annotations

from typing import Any

import numpy as np

from skgeom._array import to_numpy
from skgeom._cloud import is_to_be_moved
from skgeom._core import _objectives
from skgeom._core.pairs._between_blocks import means_without, rows_without
from skgeom._core.sums import _spectrum
from skgeom._typing import Array
from skgeom._validation import (
    check_cloud,
    check_directed,
    check_moments,
    check_paired,
    check_same_kind,
    check_squares,
)
from skgeom.metrics._angles import average_cosines_without
from skgeom.metrics._checks import check_batch_labels, check_one_row_per_class
from skgeom.metrics._measure import DIRECTIONS, RIGID, measure


@measure(
    direction=+1,
    bounds=("-inf", "inf"),
    invariances=("translation", "rotation"),
    cost="O(n d)",
    source="Mickus et al. 2024, arXiv:2402.03191",
    needs="labels",
    estimand="none",
)
def silhouette_objective(X: Any, labels: Any) -> Array:
    r"""Silhouette objective O_S: squared distances between classes less those within.

    .. math:: O_S = \sum_{i, j} \operatorname{sign}(i, j) \lVert x_i - x_j \rVert^2
              = 2 n \sum_i \lVert x_i - \mu \rVert^2 - 4 \sum_\omega n_\omega \sum_{i \in \omega}
              \lVert x_i - \mu_\omega \rVert^2, \qquad
              \operatorname{sign} = -1 \text{ within a class, } +1 \text{ between classes.}

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    labels : array of shape (n_samples,)
        The class of each row.

    Returns
    -------
    float or 0-d array
        Any real number, larger = better separated; at most 0 if there is one class only.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or has magnitudes whose squares leave the range of float64, or
        the numbers of labels and rows differ.

    Notes
    -----
    Invariant to translation and rotation; it grows with the square of the scale and of n, so rows must have bounded
    norm. Gradient 4 n (x - μ) - 8 n_ω (x - μ_ω), which is 0 between equal rows. O(n d) time, from sums over classes.

    Summing distances instead of their squares can reverse the order of two spaces, contrary to the source: the two sums
    need not have the same maximum.

    References
    ----------
    Mickus, Grönroos & Attieh 2024, Isotropy, clusters, and classifiers, eq. 1, arXiv:2402.03191.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import silhouette_objective
    >>> X = np.array([[0.0], [1.0], [3.0]])
    >>> silhouette_objective(X, [0, 0, 1])
    24.0
    """
    x = _check_rows(X)
    return _objectives.silhouette_objective(x, check_batch_labels(labels, x.shape[0]))


@measure(
    direction=+1,
    bounds=("0", "1"),
    invariances=RIGID,
    cost="O(n d min(n, d))",
    source="Mickus et al. 2024, arXiv:2402.03191",
)
def isotropy_objective(X: Any) -> Array:
    r"""Isotropy objective O_I: cosine between the variances of the principal directions and the vector of ones.

    .. math:: O_I = \cos(\mathbf 1, V) = \frac{\mathrm{tr}\,C}{\sqrt d \, \lVert C \rVert_F} = \sqrt{PR / d},

    with C the sample covariance and PR the participation ratio.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.

    Returns
    -------
    float or 0-d array
        In [1/√d, 1], larger = more isotropic; 0 if all rows are equal.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows.

    See Also
    --------
    isoscore : An increasing function of the same ratio, (d O_I² - 1)/(d - 1).

    Notes
    -----
    Invariant to translation, uniform scaling and rotation. The gradient is finite everywhere, and 0 at isotropy and if
    all rows are equal: no eigenvector is used. O(n d min(n, d)) time.

    The source replaces the cosine by the sum of all squared distances, which is not equivalent: one long axis makes the
    sum larger and the space less isotropic.

    References
    ----------
    Mickus, Grönroos & Attieh 2024, Isotropy, clusters, and classifiers, arXiv:2402.03191.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import isotropy_objective
    >>> X = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    >>> round(isotropy_objective(X), 6)
    1.0
    """
    if is_to_be_moved(X):
        return _objectives.isotropy_objective(check_cloud(X, scale_free=True))
    return _spectrum.isotropy(check_moments(X))


@measure(
    direction=+1,
    bounds=("-inf", "inf"),
    invariances=("rotation",),
    cost="O(n d)",
    source="Mickus et al. 2024, arXiv:2402.03191",
    needs="labels",
    estimand="none",
)
def classifier_objective(X: Any, labels: Any, *, C: Any = None) -> Array:
    r"""Linear-classifier objective O_C: products of rows with the direction of their class less those with the others.

    .. math:: O_C = \sum_i \Bigl(\langle x_i, c_{\omega_i} \rangle - \sum_{\omega \ne \omega_i} \langle x_i, c_\omega
              \rangle\Bigr) = \sum_\omega \Bigl\langle \sum_{i \in \omega} x_i,\; 2 c_\omega - \sum_{\omega'}
              c_{\omega'} \Bigr\rangle.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    labels : array of shape (n_samples,)
        The class of each row.
    C : array of shape (n_classes, n_features), default=None
        The directions of the classes in sorted order, such as the weights of a linear head; they receive a gradient
        too. None uses the means of the classes in X.

    Returns
    -------
    float or 0-d array
        Any real number, larger = better.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or has magnitudes whose squares leave the range of float64,
        the numbers of labels and rows differ, or C does not have one row for each class.

    Notes
    -----
    Invariant to a rotation of both X and C, not to translation. It is unbounded, so rows and directions must have
    bounded norm. Equal rows of one class have equal gradients 2 c_ω - Σ c. O(n d + k d) time.

    References
    ----------
    Mickus, Grönroos & Attieh 2024, Isotropy, clusters, and classifiers, eq. 3, arXiv:2402.03191.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import classifier_objective
    >>> X = np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 3.0]])
    >>> classifier_objective(X, [0, 1, 1], C=np.eye(2)), classifier_objective(X, [0, 1, 1])
    (6.0, 13.5)
    """
    x = _check_rows(X)
    classes = check_batch_labels(labels, x.shape[0])
    if C is None:
        return _objectives.classifier_objective(x, classes, None)
    c = _check_rows(C, name="C", min_samples=1)
    check_same_kind(x, c, ("X", "C"))
    check_one_row_per_class(c, classes.sizes.shape[0])
    return _objectives.classifier_objective(x, classes, c)


@measure(
    direction=+1,
    bounds=("-inf", "0"),
    invariances=("translation", "rotation"),
    cost="O(n² d)",
    source="Mickus et al. 2024, arXiv:2402.03191",
    needs="labels",
    estimand="none",
)
def triplet_objective(X: Any, labels: Any) -> Array:
    r"""Triplet objective O_T: minus the triplet losses, without margin, over all triplets.

    .. math:: O_T = -\sum_a \sum_{p \in \omega_a, p \ne a} \sum_{n \notin \omega_a}
              \max(\lVert a - p \rVert - \lVert a - n \rVert, 0).

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    labels : array of shape (n_samples,)
        The class of each row. A class of one row has no positive, so its row is never an anchor.

    Returns
    -------
    float or 0-d array
        At most 0, best = 0: each row is nearer to its class than to any other.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or has magnitudes whose squares leave the range of float64, or
        the numbers of labels and rows differ.

    See Also
    --------
    triplet_bound : An upper bound of this value, and cheaper.

    Notes
    -----
    Invariant to translation and rotation; proportional to the scale. Exact in O(n² (d + log n)) time, by sorting the
    distances of each anchor, in blocks, without forming triplets. A pair at contact has no direction and no gradient;
    if two distances tie, one of the subgradients is used.

    References
    ----------
    Mickus, Grönroos & Attieh 2024, Isotropy, clusters, and classifiers, appendix B, arXiv:2402.03191.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import triplet_objective
    >>> triplet_objective(np.array([[0.0], [2.0], [3.0]]), [0, 0, 1])
    -1.0
    """
    x = _check_rows(X)
    return _objectives.triplet_objective(x, check_batch_labels(labels, x.shape[0]))


@measure(
    direction=+1,
    bounds=("-inf", "inf"),
    invariances=("translation", "rotation"),
    cost="O(n² d)",
    source="Mickus et al. 2024, arXiv:2402.03191",
    needs="labels",
    estimand="none",
)
def triplet_bound(X: Any, labels: Any) -> Array:
    r"""Upper bound of the triplet objective: distances to negatives less those to positives, over all triplets.

    .. math:: \sum_{i, j} w_{ij} \lVert x_i - x_j \rVert \ge O_T, \qquad
              w_{ij} = n_{\omega_i} - n \text{ within a class, } n_{\omega_i} - 1 \text{ between classes.}

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    labels : array of shape (n_samples,)
        The class of each row.

    Returns
    -------
    float or 0-d array
        Any real number, larger = better separated; 0 if there is one class only.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or has magnitudes whose squares leave the range of float64, or
        the numbers of labels and rows differ.

    Notes
    -----
    Invariant to translation and rotation; proportional to the scale, hence unbounded. O(n² d) time, in blocks. The
    gradient of a pair has constant size near contact, and is 0 at contact. The source claims that it also bounds the
    silhouette objective, which is wrong.

    References
    ----------
    Mickus, Grönroos & Attieh 2024, Isotropy, clusters, and classifiers, eq. 5, arXiv:2402.03191.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import triplet_bound
    >>> triplet_bound(np.array([[0.0], [2.0], [3.0]]), [0, 0, 1])
    0.0
    """
    x = _check_rows(X)
    return _objectives.triplet_bound(x, check_batch_labels(labels, x.shape[0]))


def _regularizer_without_blocks(X: Any, *, codes: np.ndarray) -> np.ndarray:
    return average_cosines_without(X, codes) * (1 - 1 / rows_without(codes))


@measure(
    direction=-1,
    bounds=("-1 / n", "1 - 1 / n"),
    invariances=DIRECTIONS,
    cost="O(n d)",
    source="Gao et al. 2019, arXiv:1907.12009",
    estimand="sample",
    without_blocks=_regularizer_without_blocks,
)
def cosine_regularizer(X: Any) -> Array:
    r"""CosReg: the cosines between all rows, against the degeneration of a space to a cone.

    .. math:: \frac{1}{n^2} \sum_{i \ne j} \cos\theta_{ij} = \frac{\lVert \sum_i u_i \rVert^2 - n}{n^2}, \qquad
              u = x / \lVert x \rVert.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.

    Returns
    -------
    float or 0-d array
        In [-1/n, 1), smaller = better: the minimum if the unit rows sum to zero.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or a row is zero.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n d) time. It does not keep pairs apart: its gradient is the
    same for all rows up to projection to their tangent spaces, and 0 if all rows are equal. The source divides by n²,
    not n(n - 1).

    References
    ----------
    Gao et al. 2019, Representation degeneration problem in training language generation models, arXiv:1907.12009.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import cosine_regularizer
    >>> cosine_regularizer(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [0.0, -1.0]]))
    0.0
    """
    return _objectives.cosine_regularizer(check_directed(X))


def _retention_without_blocks(X: Any, start: Any, *, codes: np.ndarray) -> np.ndarray:
    return means_without(codes, to_numpy(_objectives.squared_changes(*_rows_and_start(X, start))))


@measure(
    direction=-1,
    bounds=("0", "inf"),
    invariances=("translation", "rotation"),
    cost="O(n d)",
    source="Li et al. 2018, arXiv:1802.01483",
    needs="start",
    without_blocks=_retention_without_blocks,
)
def retention(X: Any, start: Any) -> Array:
    r"""Retention: mean squared distance of rows from their start.

    .. math:: \frac1n \sum_i \lVert x_i - x_i^{(0)} \rVert^2.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    start : array of shape (n_samples, n_features)
        The same rows at the start.

    Returns
    -------
    float or 0-d array
        At least 0, smaller = nearer to the start.

    Raises
    ------
    ValueError
        If X and start are not finite matrices of the same shape, library and device, or have magnitudes whose squares
        leave the range of float64.

    Notes
    -----
    Invariant to a rigid motion of both. O(n d) time; the gradient is 2 (x - x⁽⁰⁾)/n, 0 at the start.

    References
    ----------
    Weight decay towards a start: Li, Grandvalet & Davoine 2018, arXiv:1802.01483.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import retention
    >>> retention(np.eye(2), np.zeros((2, 2)))
    1.0
    """
    return _objectives.retention(*_rows_and_start(X, start))


def _rows_and_start(X: Any, start: Any) -> tuple[Array, Array]:
    x, x0 = _check_rows(X, min_samples=1), _check_rows(start, name="start", min_samples=1)
    check_same_kind(x, x0, ("X", "start"))
    check_paired(x, x0, ("X", "start"))
    return x, x0


def _check_rows(X: Any, *, name: str = "X", min_samples: int = 2) -> Array:
    x = check_cloud(X, name=name, min_samples=min_samples)
    check_squares(x, name)
    return x
