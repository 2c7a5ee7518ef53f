"""Cluster structure of labelled embeddings: silhouette, Caliński-Harabasz, Davies-Bouldin, Dunn."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from sklearn import get_config

from skgeom._array import detached, float64, namespace, numbers
from skgeom._cloud import once_per_cloud
from skgeom._core import _matrices, _rows, _tangent
from skgeom._core._labels import Parts, PerRow, own_and_other, silhouettes
from skgeom._core.pairs import _silhouettes
from skgeom._core.sums import _clusters
from skgeom._core.sums._clusters import ClassMoments
from skgeom._typing import Array
from skgeom._validation import check_choice, check_cloud, check_directed, check_labels, check_squares
from skgeom.metrics._checks import check_ball, check_distances, parts_of_classes
from skgeom.metrics._measure import RIGID, measure, on_a_device

Metric: TypeAlias = Literal["euclidean", "sqeuclidean", "cosine", "geodesic", "poincare", "precomputed"]
"""The distances of a silhouette."""

PairMetric: TypeAlias = Literal["euclidean", "geodesic", "poincare", "precomputed"]
"""The distances of measures that need all pairs, or means of classes."""

_OPPOSITE = 1e-7
"""Angle from the opposite point below which the direction to a row is not determined."""

_LEAST_ROWS = 4
"""Minimum mean number of rows of a class in a block for sums over them: the memory is then about that of the rows."""

_SAME_MEAN = 1e6
"""Davies-Bouldin index from which the distance of two means may be rounding."""


@on_a_device
def silhouette_samples(X: Any, labels: Any, *, metric: Metric = "euclidean") -> Array:
    r"""Silhouette of each row: how much nearer its own class is than the nearest other class.

    .. math:: s_i = \frac{b_i - a_i}{\max(a_i, b_i)},

    with :math:`a_i` the mean distance to the other rows of the class, :math:`b_i` the smallest mean distance to another
    class.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    labels : array of shape (n_samples,)
        Class of each row: numbers or strings, with 2 to n_samples - 1 different values.
    metric : {"euclidean", "sqeuclidean", "cosine", "geodesic", "poincare", "precomputed"}, default="euclidean"
        The distance. Squared Euclidean and cosine (1 - cos) silhouettes follow exactly from class sums, without pairs:
        the mean squared distance to a class is ‖x - μ‖² plus the mean squared distance of the class to μ, and the
        cosine distance is half the squared one between unit rows. "geodesic" is the angle between the rows; "poincare"
        the distance in the Poincaré ball of curvature -1, for rows shorter than 1, 2 asinh(‖x - y‖ /
        √((1 - ‖x‖²)(1 - ‖y‖²))). With "precomputed" X holds the distances themselves, (n_samples, n_samples), of any
        space, such as a graph.

    Returns
    -------
    array of shape (n_samples,), float64
        In [-1, 1], best = 1; 0 for the only row of a class and where both distances are 0.

    Raises
    ------
    ValueError
        If X is not a finite matrix, labels do not fit it, there are fewer than 2 or more than n_samples - 1 classes,
        the metric is unknown, a row is zero under "cosine" or "geodesic" or of length 1 or more under "poincare", or
        precomputed distances are not square, symmetric, at least 0 and 0 on the diagonal.

    See Also
    --------
    silhouette_score : The mean over all rows.
    silhouette_terms : The distances a and b themselves.

    Notes
    -----
    Invariant to rotation, uniform scaling, translation (not "cosine"), and to the length of each row ("cosine").
    "sqeuclidean" and "cosine" take O(n k d) time for k classes, in blocks of float64. "euclidean" takes O(n² d) time,
    in tiles shared between threads, in the precision of X; tiles with pairs too close for this precision are computed
    in float64. "geodesic" and "poincare" are computed in float64; the first is invariant to rotation and to the length
    of each row, the second to isometries of the ball. Memory for a copy of X and the (n, k) sums; if these exceed
    scikit-learn's ``working_memory``, it takes twice the time instead. A gradient through pairs keeps all tiles,
    several n x n arrays.

    References
    ----------
    Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import silhouette_samples
    >>> X = np.array([[0.0], [1.0], [10.0], [12.0]])
    >>> silhouette_samples(X, ["a", "a", "b", "b"]).round(3)
    array([0.909, 0.9  , 0.789, 0.826])
    """
    return _per_row(X, labels, metric, silhouettes)


class SilhouetteTerms(NamedTuple):
    """Result of `silhouette_terms`.

    Attributes
    ----------
    cohesion : array of shape (n_samples,), float64
        Mean distance of each row to the other rows of its class.
    separation : array of shape (n_samples,), float64
        Mean distance of each row to the nearest other class.
    """

    cohesion: Array
    separation: Array


@on_a_device
def silhouette_terms(X: Any, labels: Any, *, metric: Metric = "euclidean") -> SilhouetteTerms:
    r"""Cohesion and separation: the two distances behind the silhouette of each row.

    .. math:: a_i = \frac{1}{n_c - 1} \sum_{j \in c,\, j \ne i} d(x_i, x_j), \qquad
              b_i = \min_{c' \ne c} \frac{1}{n_{c'}} \sum_{j \in c'} d(x_i, x_j),

    with c the class of row i. The silhouette is their difference over the larger of them, and does not show whether
    classes became tighter or moved apart.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    labels : array of shape (n_samples,)
        Class of each row: numbers or strings, with 2 to n_samples - 1 different values.
    metric : {"euclidean", "sqeuclidean", "cosine", "geodesic", "poincare", "precomputed"}, default="euclidean"
        The distance, as in `silhouette_samples`; under "cosine" it is 1 - cos.

    Returns
    -------
    SilhouetteTerms
        `cohesion` and `separation`, in the unit of the distance: at least 0. The cohesion of the only row of a class is
        0.

    Raises
    ------
    ValueError
        As in `silhouette_samples`; also if X has magnitudes whose squares leave the range of float64, unless the metric
        ignores lengths.

    See Also
    --------
    silhouette_samples : The silhouettes that they determine.

    Notes
    -----
    Invariant to rotation, translation (not "cosine"), and to the length of each row ("cosine" and "geodesic"); uniform
    scaling scales both. Time and memory as for `silhouette_samples`.

    References
    ----------
    Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import silhouette_terms
    >>> cohesion, separation = silhouette_terms(np.array([[0.0], [1.0], [10.0], [12.0]]), ["a", "a", "b", "b"])
    >>> cohesion, separation
    (array([1., 1., 2., 2.]), array([11. , 10. ,  9.5, 11.5]))
    """
    distances = _per_row(X, labels, metric, own_and_other, scale_free=False)
    distances = distances / 2 if metric == "cosine" else distances
    return SilhouetteTerms(distances[:, 0], distances[:, 1])


def _silhouettes_without_blocks(X: Any, labels: Any, *, codes: np.ndarray, metric: Metric) -> np.ndarray | None:
    """Return the silhouette scores without blocks of rows, and that of all rows, for distances that need all pairs."""
    if check_choice(metric, get_args(Metric), "metric") not in _silhouettes.DISTANCES:
        return None
    x = _rows_under(X, metric)
    memory = get_config()["working_memory"] * 2.0**20
    labelled = check_labels(labels, x.shape[0])
    return _silhouettes.mean_silhouettes_without(x, labelled, codes, memory, _silhouettes.DISTANCES[metric])


@measure(
    direction=+1,
    bounds=("-1", "1"),
    invariances=RIGID,
    cost="O(n² d)",
    source="Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7",
    needs="labels",
    without_blocks=_silhouettes_without_blocks,
)
def silhouette_score(X: Any, labels: Any, *, metric: Metric = "euclidean") -> Array:
    r"""Mean silhouette over all rows: how much nearer they are to their own class than to the nearest other.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    labels : array of shape (n_samples,)
        Class of each row: numbers or strings, with 2 to n_samples - 1 different values.
    metric : {"euclidean", "sqeuclidean", "cosine", "geodesic", "poincare", "precomputed"}, default="euclidean"
        The distance, as in `silhouette_samples`; "sqeuclidean" and "cosine" take O(n k d) time, the others O(n² d).

    Returns
    -------
    float or 0-d array
        In [-1, 1], best = 1.

    Raises
    ------
    ValueError
        As in `silhouette_samples`.

    Notes
    -----
    Invariant to rotation, uniform scaling, translation (not "cosine"), and to the length of each row ("cosine").

    References
    ----------
    Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import silhouette_score
    >>> X = np.array([[0.0], [1.0], [10.0], [12.0]])
    >>> round(silhouette_score(X, [0, 0, 1, 1]), 3), round(silhouette_score(X, [0, 0, 1, 1], metric="sqeuclidean"), 3)
    (0.856, 0.977)
    """
    samples = silhouette_samples(X, labels, metric=metric)
    return namespace(samples).mean(samples)


def _parts_with_means(X: Any, labels: Any, codes: np.ndarray, metric: PairMetric) -> Parts | None:
    """Return the parts of classes in blocks of rows; None too without means, or if their sums need more memory."""
    parts = parts_of_classes(X, labels, codes) if metric == "euclidean" else None
    return None if parts is None or _LEAST_ROWS * parts.sizes.size > codes.size else parts


def _calinski_harabasz_without_blocks(
    X: Any, labels: Any, *, codes: np.ndarray, metric: PairMetric
) -> np.ndarray | None:
    parts = _parts_with_means(X, labels, codes, metric)
    return None if parts is None else _clusters.calinski_harabasz_without(check_cloud(X, scale_free=True), parts)


def _davies_bouldin_without_blocks(X: Any, labels: Any, *, codes: np.ndarray, metric: PairMetric) -> np.ndarray | None:
    """Return None too if classes have nearly the same mean: whether it is the same depends on the order of sums."""
    parts = _parts_with_means(X, labels, codes, metric)
    if parts is None:
        return None
    values = _clusters.davies_bouldin_without(check_cloud(X, scale_free=True), parts)
    return values if values.max() < _SAME_MEAN else None


@measure(
    direction=+1,
    bounds=("0 if metric == 'euclidean' else -inf", "inf"),
    invariances=RIGID,
    cost="O(n d)",
    source="Caliński & Harabasz 1974, doi:10.1080/03610927408827101",
    needs="labels",
    estimand="sample",
    without_blocks=_calinski_harabasz_without_blocks,
)
def calinski_harabasz_score(X: Any, labels: Any, *, metric: PairMetric = "euclidean") -> Array:
    r"""Caliński-Harabasz index: variance between class means over variance within classes.

    .. math:: \frac{\sum_c n_c \lVert \mu_c - \mu \rVert^2 / (k - 1)}
                   {\sum_c \sum_{i \in c} \lVert x_i - \mu_c \rVert^2 / (n - k)}.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    labels : array of shape (n_samples,)
        Class of each row: numbers or strings, with 2 to n_samples - 1 different values.
    metric : {"euclidean", "geodesic", "poincare", "precomputed"}, default="euclidean"
        The distance: Euclidean; the angle between the rows; in the Poincaré ball of curvature -1, for rows shorter than
        1, 2 asinh(‖x - y‖ / √((1 - ‖x‖²)(1 - ‖y‖²))); or X holds the distances themselves, (n_samples, n_samples), of
        any space, such as a graph.

    Returns
    -------
    float or 0-d array
        Larger = better separated; 1 if every class is one point (as in scikit-learn). At least 0 for Euclidean
        distances; under others it is negative if the rows of a class are farther apart than those of different classes.

    Raises
    ------
    ValueError
        If X is not a finite matrix, labels do not fit it, or there are fewer than 2 or more than n_samples - 1 classes.

    Notes
    -----
    Invariant to rotation, uniform scaling and translation. O(n d) time in blocks, with float64 sums.

    Other distances have no class means. For them the index is the pseudo-F [2]_, in which the sum of squared distances
    to the mean of a class is replaced by that over its pairs, divided by its size: the same number for Euclidean
    distances. O(n² d) time; their gradient keeps all tiles, several n x n arrays.

    References
    ----------
    .. [1] Caliński & Harabasz 1974, doi:10.1080/03610927408827101.
    .. [2] Anderson 2001, A new method for non-parametric multivariate analysis of variance, Austral Ecology 26.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import calinski_harabasz_score
    >>> calinski_harabasz_score(np.array([[0.0], [2.0], [10.0], [12.0]]), [0, 0, 1, 1])
    50.0
    """
    if check_choice(metric, get_args(PairMetric), "metric") == "euclidean":
        return _clusters.calinski_harabasz(_class_moments(X, labels))
    x = _rows_under(X, metric)
    labelled = check_labels(labels, x.shape[0])
    if metric == "precomputed":
        return _matrices.pseudo_f(_matrices.square_sums(x, labelled), labelled.sizes)
    return _silhouettes.pseudo_f(x, labelled, _silhouettes.DISTANCES[metric])


@measure(
    direction=-1,
    bounds=("0", "inf"),
    invariances=RIGID,
    cost="O(n d)",
    source="Davies & Bouldin 1979, doi:10.1109/TPAMI.1979.4766909",
    needs="labels",
    infinite="two classes have the same mean",
    without_blocks=_davies_bouldin_without_blocks,
)
def davies_bouldin_score(X: Any, labels: Any, *, metric: PairMetric = "euclidean") -> Array:
    r"""Davies-Bouldin index: how far each class reaches towards its worst neighbour, averaged over classes.

    .. math:: \frac1k \sum_c \max_{c' \ne c} \frac{s_c + s_{c'}}{\lVert \mu_c - \mu_{c'} \rVert}, \qquad
              s_c = \frac{1}{n_c} \sum_{i \in c} \lVert x_i - \mu_c \rVert.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    labels : array of shape (n_samples,)
        Class of each row: numbers or strings, with 2 to n_samples - 1 different values.
    metric : {"euclidean", "geodesic", "poincare", "precomputed"}, default="euclidean"
        The distance, as in `silhouette_samples`: under "geodesic" and "poincare" the means are Fréchet means. With
        "precomputed" X holds the distances themselves, (n_samples, n_samples), and the index is a different one: see
        the notes.

    Returns
    -------
    float or 0-d array
        At least 0, best = 0 (every class is one point); inf if two classes have the same mean.

    Raises
    ------
    ValueError
        If X is not a finite matrix, labels do not fit it, or there are fewer than 2 or more than n_samples - 1 classes;
        if under "geodesic" or "poincare" a row is not a point of the space, or the mean of a class is not determined:
        its directions cancel (their mean is shorter than 0.05), a row is opposite to it, or all its rows are close to
        one another near the border of the ball.

    See Also
    --------
    skgeom.preprocessing.TangentSpace : Fréchet means, and the tangent vectors of the rows at them.

    Notes
    -----
    Invariant to rotation, uniform scaling and translation. O(n d + k² d) time in two passes over blocks of rows, with
    float64 sums. The index equals that of scikit-learn unless classes have the same mean: scikit-learn leaves such
    pairs out, and returns 0, the best value, if all pairs are such.

    The Fréchet mean of a class minimises the squared distances to its rows: it is the point at which their tangent
    vectors sum to 0, found by steps of O(n d) in float64. The index is then invariant to rotation and to the length of
    each row ("geodesic"), or to isometries of the ball ("poincare"). These two pass no gradient to Torch tensors.

    Distances alone have no class means, but their squares give root mean square distances to them and between them:
    :math:`s_c^2` is half the mean squared distance over the pairs of a class, including each row with itself, and the
    squared distance of two means is the mean squared distance between the classes less :math:`s_c^2 + s_{c'}^2`. With
    "precomputed" these are used above, the form q = 2 of the source: a larger number than with q = 1.

    References
    ----------
    Davies & Bouldin 1979, A cluster separation measure, doi:10.1109/TPAMI.1979.4766909.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import davies_bouldin_score
    >>> davies_bouldin_score(np.array([[0.0], [2.0], [10.0], [12.0]]), [0, 0, 1, 1])
    0.2
    """
    x = _rows_under(X, check_choice(metric, get_args(PairMetric), "metric"))
    labelled = check_labels(labels, x.shape[0])
    if metric == "precomputed":
        return _matrices.energy_davies_bouldin(_matrices.square_sums(x, labelled), labelled.sizes)
    if metric == "euclidean":
        return _clusters.davies_bouldin(x, labelled)
    space = _tangent.GEOMETRIES["sphere" if metric == "geodesic" else metric]
    means, distances = _tangent.class_means(space, detached(x), labelled)
    farthest = numbers([namespace(to_mean).max(to_mean) for to_mean in distances])
    for number, (mean, none_opposite) in enumerate(zip(means, farthest < space.reach - _OPPOSITE, strict=True)):
        _check_mean(mean, number, none_opposite=none_opposite)
    return _tangent.davies_bouldin(space, means, distances)


@measure(
    direction=+1,
    bounds=("0", "inf"),
    invariances=RIGID,
    cost="O(n² d)",
    source="Dunn 1974, doi:10.1080/01969727408546059",
    needs="labels",
    infinite="every class is one point",
    estimand="none",
)
def dunn_index(X: Any, labels: Any, *, metric: PairMetric = "euclidean") -> Array:
    r"""Dunn index: smallest distance between classes over largest diameter of a class.

    .. math:: \frac{\min_{c \ne c'} \min_{i \in c, j \in c'} \lVert x_i - x_j \rVert}
                   {\max_c \max_{i, j \in c} \lVert x_i - x_j \rVert}.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row.
    labels : array of shape (n_samples,)
        Class of each row: numbers or strings, with 2 to n_samples - 1 different values.
    metric : {"euclidean", "geodesic", "poincare", "precomputed"}, default="euclidean"
        The distance: Euclidean; the angle between the rows; in the Poincaré ball of curvature -1, for rows shorter than
        1, 2 asinh(‖x - y‖ / √((1 - ‖x‖²)(1 - ‖y‖²))); or X holds the distances themselves, (n_samples, n_samples), of
        any space, such as a graph.

    Returns
    -------
    float or 0-d array
        At least 0, larger = better separated; inf if every class is one point.

    Raises
    ------
    ValueError
        If X is not a finite matrix, labels do not fit it, or there are fewer than 2 or more than n_samples - 1 classes.

    Notes
    -----
    Invariant to rotation, uniform scaling and translation. O(n² d) time in tiles, without an n x n array but for a
    gradient, which keeps all tiles. A single outlier can determine it.

    References
    ----------
    Dunn 1974, doi:10.1080/01969727408546059.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import dunn_index
    >>> dunn_index(np.array([[0.0], [2.0], [10.0], [12.0]]), [0, 0, 1, 1])
    4.0
    """
    x = _rows_under(X, check_choice(metric, get_args(PairMetric), "metric"))
    labelled = check_labels(labels, x.shape[0])
    if metric == "precomputed":
        return _matrices.dunn_index(x, labelled)
    return _silhouettes.dunn_index(x, labelled, _silhouettes.DISTANCES[metric])


def _check_mean(mean: _tangent.Mean, number: int, *, none_opposite: bool) -> None:
    """Check that a class has a unique Fréchet mean, with no row opposite to it."""
    if not (mean.is_determined and none_opposite):
        raise ValueError(
            f"The mean of class {number} (from 0, in sorted order) is not determined: its directions cancel (their "
            f"mean has length {mean.concentration:.3g}), a row is opposite to it, or rows are at the border of the "
            f"ball ({mean.n_iter} steps left {mean.residual:.1e}). Leave the class out, or measure Euclidean distances."
        )


def _per_row(X: Any, labels: Any, metric: Metric, of: PerRow, *, scale_free: bool = True) -> Array:
    """Return `of` applied to the mean distances of each row to the classes; under "cosine" these are squared chords."""
    check_choice(metric, get_args(Metric), "metric")
    if metric == "cosine":
        x = check_directed(X).x
        return _clusters.squared_silhouette_samples(x, check_labels(labels, x.shape[0]), _rows.unit, of)
    x = _rows_under(X, "euclidean" if metric == "sqeuclidean" else metric, scale_free=scale_free)
    labelled = check_labels(labels, x.shape[0])
    if metric == "sqeuclidean":
        return _clusters.squared_silhouette_samples(x, labelled, of=of)
    if metric == "precomputed":
        return _matrices.silhouette_samples(x, labelled, of)
    memory = get_config()["working_memory"] * 2.0**20
    return _silhouettes.silhouette_samples(x, labelled, memory, _silhouettes.DISTANCES[metric], of)


def _rows_under(X: Any, metric: str, *, scale_free: bool = True) -> Array:
    """Return rows as a distance needs them, or the distances: float64 for curved spaces, unit rows on the sphere."""
    if metric == "precomputed":
        return check_distances(X, scale_free=scale_free)
    if metric == "geodesic":
        return _rows.unit(float64(check_directed(X).x))
    if metric == "poincare":
        return check_ball(X)
    x = check_cloud(X, scale_free=scale_free)
    if not scale_free:
        check_squares(x, "X")
    return x


@once_per_cloud
def _class_moments(X: Any, labels: Any) -> ClassMoments:
    """Return size, mean and scatter of each class."""
    x = check_cloud(X, scale_free=True)
    return _clusters.class_moments(x, check_labels(labels, x.shape[0]))
