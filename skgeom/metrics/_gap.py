"""The gap between two modalities: how far apart, how separable and how well paired they are."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgeom._array import (
    as_data,
    asarray_like,
    excess_exponent,
    exponent_of,
    float64,
    namespace,
    peak,
    ratio,
    times_power_of_two,
    to_numpy,
)
from skgeom._cloud import Blocks, Remainder, as_cloud, once_per_cloud, sum_of
from skgeom._core import _two_clouds
from skgeom._core._rows import mean_of
from skgeom._core.pairs._between_blocks import means_without
from skgeom._core.sums._angular import conformity, conformity_to, conformity_without, part_of_resultant, resultant
from skgeom._typing import Array
from skgeom._validation import (
    check_choice,
    check_clouds,
    check_column_order,
    check_count,
    check_directed,
    check_directed_clouds,
    check_directed_pairs,
    check_paired_clouds,
    check_same_kind,
)
from skgeom.metrics._angles import average_cosines_without
from skgeom.metrics._checks import Density, check_divergence
from skgeom.metrics._measure import DIRECTIONS, RIGID, measure

Reference: TypeAlias = Literal["cross", "pooled"]
"""The distances to compare those of pairs with."""

_LEFT = 1e-6
"""Minimum share of a mean distance that is left without a block: rows that are nearer to each other lose digits around
the centre of all."""


def _relative_gap_without_blocks(X: Any, Y: Any, *, codes: np.ndarray) -> Any:
    squares = means_without(codes, to_numpy(_two_clouds.alignments(*check_directed_pairs(X, Y), 2.0)))
    cosines = [average_cosines_without(side, codes) for side in (X, Y)]
    return _two_clouds.relative_gap(squares, np.sum(cosines, axis=0))


def _around_centre(X: Any, Y: Any) -> tuple[Array, Array, Array]:
    """Return two paired clouds in one unit, and the mean of all rows (d,)."""
    x, y = _in_one_unit(*check_paired_clouds(X, Y))
    return x, y, (mean_of(x) + mean_of(y)) / 2


def _pair_distance_ratio_without_blocks(X: Any, Y: Any, *, codes: np.ndarray, reference: Reference) -> Any:
    """Return None if one block is so far away that the others have lost their digits around the centre of all."""
    check_choice(reference, get_args(Reference), "reference")
    x, y, centre = map(as_data, _around_centre(X, Y))
    means = np.stack(_two_clouds.mean_distances_without(codes, x, y, centre, pooled=reference == "pooled"))
    return None if np.any(means < _LEFT * means[:, -1:]) else ratio(*means)


@measure(
    direction=-1,
    bounds=("0", "2"),
    invariances=DIRECTIONS,
    cost="O(n d)",
    source="Liang et al. 2022, arXiv:2203.02053",
    needs="clouds",
)
def modality_gap(X: Any, Y: Any) -> Array:
    r"""Distance between the centres of two modalities on the sphere.

    .. math:: \Big\lVert \frac1n \sum_i \frac{x_i}{\lVert x_i \rVert}
       - \frac1m \sum_j \frac{y_j}{\lVert y_j \rVert} \Big\rVert.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), iterator of blocks of rows, CloudSummary or Dask array
        Embeddings of one modality, none of them zero.
    Y : array of shape (m_samples, n_features), iterator of blocks of rows, CloudSummary or Dask array
        Embeddings of the other; the rows need not be paired.

    Returns
    -------
    float or 0-d array
        In [0, 2]; 0 if the centres coincide, which implies nothing about the rest of the clouds.

    Raises
    ------
    ValueError
        If X or Y is not a finite matrix, a row is zero, or the two differ in width, library or device.

    See Also
    --------
    relative_modality_gap : The distance of pairs relative to the distances within the clouds.
    modality_separability : Whether a plane separates the modalities.
    GapShift : Moves the clouds towards each other.
    skgeom.preprocessing.GroupCentering : Removes the gap by centring each modality.

    Notes
    -----
    Invariant to rotation of the space and to the length of each row. O(n d) time. With R and S the mean cosines of X
    and Y to their own centres, it is √(R² + S² - 2 R S cos(centres)).

    References
    ----------
    Liang et al. 2022, Mind the gap, arXiv:2203.02053.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import modality_gap
    >>> round(modality_gap(np.array([[1.0, 0.0], [5.0, 0.0]]), np.array([[0.0, 2.0]])), 4)
    1.4142
    """
    clouds = ((X, "X"), (Y, "Y"))
    x, y = (sum_of(Z, part_of_resultant, partial(check_directed, name=name, min_samples=1)).mean for Z, name in clouds)
    check_same_kind(x[None, :], y[None, :])
    check_column_order(X, Y)
    return _two_clouds.modality_gap(x, y)


@measure(
    direction=-1,
    bounds=("0", "1"),
    invariances=DIRECTIONS,
    cost="O(n d)",
    source="Schrodi et al. 2024, arXiv:2404.07983",
    needs="partners",
    without_blocks=_relative_gap_without_blocks,
)
def relative_modality_gap(X: Any, Y: Any) -> Array:
    r"""Cosine distance of pairs, relative to the distances within the modalities.

    .. math:: \frac{p}{p + w}, \qquad
       p = \frac1n \sum_i \delta(x_i, y_i), \quad
       w = \frac{1}{2 n (n - 1)} \sum_{i \ne j} \big( \delta(x_i, x_j) + \delta(y_i, y_j) \big),

    with the cosine distance :math:`\delta(x, y) = (1 - \cos(x, y)) / 2`; its factor ½ cancels.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Embeddings of one modality, none of them zero.
    Y : array of shape (n_samples, n_features)
        Embeddings of the other: row i belongs to row i of X.

    Returns
    -------
    float or 0-d array
        In [0, 1], best = 0 (partners coincide); ½ if partners are as far apart as any two rows of a modality; 1 if the
        spread of the modalities is negligible against the distance of partners. 0 if all rows of both have the same
        direction.

    Raises
    ------
    ValueError
        If X or Y is not a finite matrix of at least two rows, a row is zero, their numbers of rows differ, or the two
        differ in width, library or device.

    See Also
    --------
    modality_gap : The distance of the centres.
    pair_distance_ratio : The same question with Euclidean distances, against pairs that do not belong together.

    Notes
    -----
    The formula is that of the authors' published code. If a row has several partners, that code leaves them out of the
    distances within; here each row has one. Invariant to rotation and to the length of each row. O(n d) time: the mean
    distances within are computed without pairs.

    References
    ----------
    Schrodi, Hoffmann, Argus, Fischer & Brox 2024, Two effects, one trigger, arXiv:2404.07983.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import relative_modality_gap
    >>> X = np.eye(3)
    >>> relative_modality_gap(X, X), round(relative_modality_gap(X, X[[1, 2, 0]]), 4)
    (0.0, 0.5)
    """
    return _two_clouds.relative_modality_gap(*check_directed_pairs(X, Y))


@measure(
    direction=-1,
    bounds=("0", "1"),
    invariances=("translation", "scaling"),
    cost="O(n d)",
    source="Tyshchuk et al. 2023, doi:10.3390/info14070392",
    needs="clouds",
    differentiable=False,
    on_host=True,
    estimand="sample",
)
def modality_separability(X: Any, Y: Any, *, cv: int = 5) -> Array:
    """Cross-validated accuracy of a linear classifier that separates two modalities.

    Features are standardised and classified by scikit-learn's logistic regression; the accuracies are averaged over
    stratified folds.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Embeddings of one modality.
    Y : array of shape (m_samples, n_features)
        Embeddings of the other; the rows need not be paired.
    cv : int, default=5
        Number of folds, at most the number of rows of the smaller modality.

    Returns
    -------
    float or 0-d array
        In [0, 1]; 1 if a plane separates the modalities; if nothing does, about the share of the larger one, ½ for
        equal numbers.

    Raises
    ------
    TypeError
        If `cv` is not an integer.
    ValueError
        If X or Y is not a finite matrix of at least `cv` rows, or the two differ in width, library or device.

    See Also
    --------
    modality_gap : The distance of the centres.
    skgeom.multimodal.double_ellipsoid : The single features that separate them.

    Notes
    -----
    Computed by scikit-learn on the host, whatever the library, in several copies of the rows. With more features than
    rows, a plane separates the training rows of almost any two clouds; accuracy on held-out rows is what counts.

    References
    ----------
    Tyshchuk et al. 2023, On isotropy of multimodal embeddings, doi:10.3390/info14070392.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import modality_separability
    >>> X = np.random.default_rng(0).normal(size=(100, 4))
    >>> modality_separability(X, X + 10)
    1.0
    """
    folds = check_count(cv, "cv", 2)
    x, y = check_clouds(X, Y, min_samples=folds)
    rows = np.vstack([to_numpy(x), to_numpy(y)])
    modality = np.repeat([0, 1], [x.shape[0], y.shape[0]])
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    accuracy = cross_val_score(classifier, rows, modality, cv=folds).mean()
    return asarray_like(accuracy, x, dtype=namespace(x).float64)


@measure(
    direction=-1,
    bounds=("0", "inf"),
    invariances=RIGID,
    cost="O(n² d)",
    source="Tyshchuk et al. 2023, doi:10.3390/info14070392",
    needs="partners",
    without_blocks=_pair_distance_ratio_without_blocks,
)
def pair_distance_ratio(X: Any, Y: Any, *, reference: Reference = "cross") -> Array:
    r"""Mean distance of partners over the mean distance of rows that are not partners.

    .. math:: \frac{\frac1n \sum_i \lVert x_i - y_i \rVert}{D}, \qquad
       D_{\text{cross}} = \frac{1}{n(n-1)} \sum_{i \ne j} \lVert x_i - y_j \rVert,

    or, pooled, with D the mean distance of two different rows of the union of both clouds.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Embeddings of one modality.
    Y : array of shape (n_samples, n_features)
        Embeddings of the other: row i belongs to row i of X.
    reference : {"cross", "pooled"}, default="cross"
        The pairs to compare partners with. "cross": rows of different modalities; 1 means that the pairing is
        uninformative, whatever the gap. "pooled": all rows, of the same modality and of different ones; with a gap the
        ratio can exceed 1. The source uses "global" and leaves open which is meant.

    Returns
    -------
    float or 0-d array
        At least 0, best = 0 (partners coincide). 0 if all rows are equal.

    Raises
    ------
    ValueError
        If X or Y is not a finite matrix of at least two rows, their numbers of rows differ, the two differ in width,
        library or device, or the reference is unknown.

    See Also
    --------
    relative_modality_gap : Relative to the distances within the modalities, by angles.

    Notes
    -----
    Invariant to rotation, to translation of both clouds and to uniform scaling of both. Exact: O(n² d) time in float64,
    in several threads with memory for one tile each. A gradient keeps all tiles, several n x n arrays.

    References
    ----------
    Tyshchuk et al. 2023, On isotropy of multimodal embeddings, doi:10.3390/info14070392 (Table 6).

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import pair_distance_ratio
    >>> X = np.array([[0.0], [1.0], [5.0]])
    >>> pair_distance_ratio(X, X), round(pair_distance_ratio(X, X + 2), 4)
    (0.0, 0.5455)
    """
    check_choice(reference, get_args(Reference), "reference")
    x, y, centre = _around_centre(X, Y)
    mean = _two_clouds.mean_unpaired_distance if reference == "cross" else _two_clouds.mean_pooled_distance
    return ratio(_two_clouds.mean_paired_distance(x, y), mean(x, y, centre))


@measure(
    direction=-1,
    bounds=("0", "inf"),
    invariances=DIRECTIONS,
    cost="O(n d)",
    source="Levi & Gilboa 2025, arXiv:2411.14517",
    needs="clouds",
    infinite="the conformities of one cloud alone have no spread",
)
def conformity_divergence(
    X: Any, Y: Any, *, reference: Any = None, method: Density = "gaussian", bins: int = 50
) -> Array:
    r"""Kullback-Leibler divergence of the conformities of one modality from those of the other.

    .. math:: \mathrm{KL}(P \,\Vert\, Q) = \int p \log \frac{p}{q},

    where P is the distribution of the conformities of the rows of X within X, and Q that of the rows of Y within Y;
    with a reference, both are conformities to its rows. Exchange the arguments for the other direction.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Embeddings of one modality, none of them zero.
    Y : array of shape (m_samples, n_features)
        Embeddings of the other; the rows need not be paired.
    reference : array of shape (n_reference, n_features), default=None
        The rows to which those of X and Y are compared, as in `conformity`; None for the other rows of the same
        modality. To judge generated rows X by real rows Y, pass real rows: Y itself, whose rows then count themselves
        among the m (which raises the conformity C of each by (1 - C)/m), or a third set, which favours neither.
    method : {"gaussian", "histogram"}, default="gaussian"
        Estimator of the distributions. "gaussian": normal distributions with the sample means and population variances,

        .. math:: \log\frac{\sigma_Q}{\sigma_P} + \frac{\sigma_P^2 + (\mu_P - \mu_Q)^2}{2 \sigma_Q^2} - \frac12 .

        "histogram": shares of the rows in equal bins over the common range, with half a count added to each bin; the
        result cannot exceed log(2 m + bins), however far apart the distributions are.
    bins : int, default=50
        Number of bins of the histograms.

    Returns
    -------
    float or 0-d array
        At least 0, best = 0 (equal distributions). "gaussian" is infinite if only one of them has spread, or neither
        has and they differ.

    Raises
    ------
    TypeError
        If `bins` is not an integer.
    ValueError
        If X, Y or the reference is not a finite matrix of at least two rows (one for the reference), a row is zero,
        they differ in width, library or device, the method is unknown, or there are fewer than two bins.

    See Also
    --------
    skgeom.metrics.conformity : The conformities.
    skgeom.multimodal.divergence_along_offset : The divergence as the clouds move along their means.

    Notes
    -----
    Invariant to rotation of either cloud (of all, with a reference) and to the length of each row. O(n d) time. The
    source [1]_ specifies neither direction nor estimator.

    Conformity is a cosine to one direction, so clouds with equal distributions of it can be different: a generator that
    repeats forty real rows passes, and so does a normal distribution with the mean and covariance of real rows. Compare
    `effective_rank` too.

    References
    ----------
    .. [1] Levi & Gilboa 2025, The double-ellipsoid geometry of CLIP, arXiv:2411.14517.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import conformity_divergence
    >>> Z = np.random.default_rng(0).normal(size=(500, 16))
    >>> conformity_divergence(Z + 1, Z + 1)
    0.0
    >>> conformity_divergence(Z + 1, Z + 2) > 1
    True
    """
    divergence = check_divergence(method, bins)
    X, Y = as_cloud(X), as_cloud(Y)
    check_directed_clouds(X.whole, Y.whole)
    if reference is None:
        return divergence(_conformities(X, "X"), _conformities(Y, "Y"))
    return divergence(_conformities_to(X, reference, "X"), _conformities_to(Y, reference, "Y"))


@once_per_cloud
def _conformities(X: Any, name: str) -> Array:
    """Return the conformities of the rows of a cloud; those without a block follow from one pass for all blocks."""
    if isinstance(X, Remainder):
        return X.rest_of(_conformities_without(X.blocks, name)[:, X.block])
    if isinstance(X, Blocks):
        return _conformities_without(X, name)[:, -1]
    return conformity(check_directed(X, name=name))


@once_per_cloud
def _conformities_without(X: Blocks, name: str) -> Array:
    return conformity_without(check_directed(X, name=name), X.rows)


@once_per_cloud
def _conformities_to(X: Any, reference: Any, name: str) -> Array:
    if isinstance(X, Remainder):
        return X.rest_of(_conformities_to(X.blocks, reference, name))
    x, others = check_directed(X, name=name), check_directed(reference, name="reference", min_samples=1)
    check_same_kind(x.x, others.x, (name, "reference"))
    return conformity_to(x, resultant(others))


def _in_one_unit(x: Array, y: Array) -> tuple[Array, Array]:
    """Return two clouds, multiplied by the same power of two if their distances would leave the range of float64."""
    largest = max(peak(x), peak(y))
    if not excess_exponent(float64(x[:1, :]), largest):
        return x, y
    exponent = exponent_of(largest)
    return times_power_of_two(float64(x), -exponent), times_power_of_two(float64(y), -exponent)
