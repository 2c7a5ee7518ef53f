"""Losses of a space: functions of a tensor of rows that any training loop can minimise or maximise, and their table.

Each value is the quantity as its source defines it, with no change of sign: `LOSSES` says in which direction it is
better. Values are in float64. Gradients are exact, come with the value, and are first derivatives only.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from skgeom._array import asarray_like, namespace
from skgeom._core import _objectives, _sliced, _two_clouds
from skgeom._core.pairs import _energies
from skgeom._validation import (
    check_batch_labels,
    check_choice,
    check_cloud,
    check_count,
    check_covariance,
    check_directed,
    check_directed_pairs,
    check_generator,
    check_one_row_per_class,
    check_paired,
    check_plane,
    check_positive,
    check_real,
    check_same_kind,
)

_DISTANCES = ("chordal", "geodesic")


def silhouette_objective(X: Tensor, labels: Any) -> Tensor:
    r"""Silhouette objective O_S: squared distances between classes less those within.

    .. math:: O_S = \sum_{i, j} \operatorname{sign}(i, j) \lVert x_i - x_j \rVert^2
              = 2 n \sum_i \lVert x_i - \mu \rVert^2 - 4 \sum_\omega n_\omega \sum_{i \in \omega}
              \lVert x_i - \mu_\omega \rVert^2, \qquad
              \operatorname{sign} = -1 \text{ within a class, } +1 \text{ between classes.}

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows.
    labels : array of shape (n_samples,)
        The class of each row.

    Returns
    -------
    tensor of shape ()
        Any real number, more = better separated; at most 0 if there is one class only.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or there is not one label for each row.

    Notes
    -----
    Invariant to translation and rotation; it grows with the square of the scale and of n, so it needs rows of bounded
    norm. Gradient 4 n (x - μ) - 8 n_ω (x - μ_ω), which is 0 between equal rows. O(n d) time, from sums over classes.

    The sum of distances in place of their squares can put two spaces in another order, contrary to the source: the
    best of one need not be the best of the other.

    References
    ----------
    Mickus, Grönroos & Attieh 2024, Isotropy, clusters, and classifiers, eq. 1, arXiv:2402.03191.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import silhouette_objective
    >>> silhouette_objective(torch.tensor([[0.0], [1.0], [3.0]]), [0, 0, 1]).item()
    24.0
    """
    x = check_cloud(X)
    return _objectives.silhouette_objective(x, check_batch_labels(labels, x.shape[0]))


def isotropy_objective(X: Tensor) -> Tensor:
    r"""Isotropy objective O_I: cosine between the variances of the principal directions and the vector of ones.

    .. math:: O_I = \cos(\mathbf 1, V) = \frac{\mathrm{tr}\,C}{\sqrt d \, \lVert C \rVert_F} = \sqrt{PR / d},

    with C the sample covariance and PR the participation ratio.

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows.

    Returns
    -------
    tensor of shape ()
        In [1/√d, 1], more = more isotropic; 0 if all rows are equal.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows.

    See Also
    --------
    isoscore : An increasing function of the same ratio, (d O_I² - 1)/(d - 1).

    Notes
    -----
    Invariant to translation, uniform scaling and rotation. Finite gradients everywhere, 0 at isotropy and without
    spread: no eigenvector is used. O(n d min(n, d)) time.

    The source replaces the cosine by the sum of all squared distances, which is not equivalent: one long axis makes the
    sum larger and the space less isotropic.

    References
    ----------
    Mickus, Grönroos & Attieh 2024, Isotropy, clusters, and classifiers, arXiv:2402.03191.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import isotropy_objective
    >>> round(isotropy_objective(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])).item(), 6)
    1.0
    """
    return _objectives.isotropy_objective(check_cloud(X, scale_free=True))


def isoscore(X: Tensor) -> Tensor:
    r"""IsoScore: the share of the dimensions that a cloud uses evenly.

    .. math:: \frac{PR - 1}{d - 1}, \qquad PR = \frac{(\mathrm{tr}\,C)^2}{\mathrm{tr}\,C^2}, \qquad
              \nabla = \frac{4 t}{(n - 1) f (d - 1)} \Bigl(X_c - \frac tf X_c C\Bigr), \quad
              t = \mathrm{tr}\,C, \; f = \mathrm{tr}\,C^2.

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows.

    Returns
    -------
    tensor of shape ()
        In [0, 1], more = more isotropic; 0 if all rows are equal.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows.

    Notes
    -----
    Invariant to translation, uniform scaling and rotation. The gradient is in closed form: finite everywhere, 0 at
    isotropy, where that of the published code is infinite, and without spread. O(n d min(n, d)) time.

    References
    ----------
    Rudman, Gillman, Rayne & Eickhoff 2022, arXiv:2108.07344.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import isoscore
    >>> X = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]], requires_grad=True)
    >>> score = isoscore(X)
    >>> score.backward()
    >>> round(score.item(), 4), bool(X.grad[0, 0] < 0 < X.grad[2, 1])
    (0.4706, True)
    """
    return _objectives.isoscore(check_cloud(X, scale_free=True))


def isoscore_star(X: Tensor, *, covariance: Tensor | None = None, zeta: float = 0.5) -> Tensor:
    r"""IsoScore*: the IsoScore of a covariance shrunk towards another, for batches of few rows.

    .. math:: \mathrm{IsoScore}\bigl((1 - \zeta)\,C + \zeta\,C_0\bigr).

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows.
    covariance : tensor of shape (n_features, n_features), default=None
        The target C₀, for instance the covariance of a larger sample: a constant, to which no gradient flows. None
        stands for (tr C / d) I.
    zeta : float, default=0.5
        The share of the target, in [0, 1]; 0 gives `isoscore`.

    Returns
    -------
    tensor of shape ()
        In [0, 1], more = more isotropic.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, C₀ not symmetric and of its width, or zeta not in [0, 1].

    Notes
    -----
    Invariant to translation and to a rotation of both X and C₀, and, with the default target, to uniform scaling. The
    gradient is in closed form, finite everywhere. O(n d min(n, d)) time, O(n d²) with a target. The penalty of [1]_ is
    1 minus this value.

    References
    ----------
    .. [1] Rudman & Eickhoff 2024, Stable anisotropic regularization, arXiv:2305.19358.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import isoscore, isoscore_star
    >>> X = torch.randn(32, 16, generator=torch.Generator().manual_seed(0))
    >>> bool(isoscore(X) < isoscore_star(X, zeta=0.8))
    True
    """
    share = check_real(zeta, "zeta", 0, 1)
    x = check_cloud(X, scale_free=covariance is None)
    c0 = None if covariance is None else check_covariance(covariance, like=x, definite=False)
    return _objectives.isoscore_star(x, c0, share)


def classifier_objective(X: Tensor, labels: Any, *, C: Tensor | None = None) -> Tensor:
    r"""Linear-classifier objective O_C: products of rows with the direction of their class less those with the others.

    .. math:: O_C = \sum_i \Bigl(\langle x_i, c_{\omega_i} \rangle - \sum_{\omega \ne \omega_i} \langle x_i, c_\omega
              \rangle\Bigr) = \sum_\omega \Bigl\langle \sum_{i \in \omega} x_i,\; 2 c_\omega - \sum_{\omega'}
              c_{\omega'} \Bigr\rangle.

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows.
    labels : array of shape (n_samples,)
        The class of each row.
    C : tensor of shape (n_classes, n_features), default=None
        The directions of the classes, in their sorted order, to which the gradient flows too: the weights of a linear
        head. None stands for the means of the classes in X.

    Returns
    -------
    tensor of shape ()
        Any real number, more = better.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, there is not one label for each row, or C does not have one
        row for each class.

    Notes
    -----
    Invariant to a rotation of both X and C, not to translation. Without bound: it needs rows, and directions, of
    bounded norm. Equal rows of one class have equal gradients 2 c_ω - Σ c. O(n d + k d) time.

    References
    ----------
    Mickus, Grönroos & Attieh 2024, Isotropy, clusters, and classifiers, eq. 3, arXiv:2402.03191.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import classifier_objective
    >>> X = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 3.0]])
    >>> classifier_objective(X, [0, 1, 1], C=torch.eye(2)).item(), classifier_objective(X, [0, 1, 1]).item()
    (6.0, 13.5)
    """
    x = check_cloud(X)
    classes = check_batch_labels(labels, x.shape[0])
    if C is None:
        return _objectives.classifier_objective(x, classes, None)
    c = check_cloud(C, name="C", min_samples=1)
    check_same_kind(x, c, ("X", "C"))
    check_one_row_per_class(c, classes.sizes.shape[0])
    return _objectives.classifier_objective(x, classes, c)


def triplet_objective(X: Tensor, labels: Any) -> Tensor:
    r"""Triplet objective O_T: minus the triplet losses, without margin, over all triplets.

    .. math:: O_T = -\sum_a \sum_{p \in \omega_a, p \ne a} \sum_{n \notin \omega_a}
              \max(\lVert a - p \rVert - \lVert a - n \rVert, 0).

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows.
    labels : array of shape (n_samples,)
        The class of each row. A class of one row has no positive and gives no triplet as anchor.

    Returns
    -------
    tensor of shape ()
        At most 0, best = 0: each row is nearer to its class than to any other.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or there is not one label for each row.

    See Also
    --------
    triplet_bound : At least this value, and cheaper.

    Notes
    -----
    Invariant to translation and rotation; proportional to the scale. Exact in O(n² (d + log n)) time, by sorting the
    distances of each anchor, in blocks: no triplet is formed. A pair at contact has no direction and pulls on nothing;
    where two distances tie, one of the subgradients is taken.

    References
    ----------
    Mickus, Grönroos & Attieh 2024, Isotropy, clusters, and classifiers, appendix B, arXiv:2402.03191.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import triplet_objective
    >>> triplet_objective(torch.tensor([[0.0], [2.0], [3.0]]), [0, 0, 1]).item()
    -1.0
    """
    x = check_cloud(X)
    return _objectives.triplet_objective(x, check_batch_labels(labels, x.shape[0]))


def triplet_bound(X: Tensor, labels: Any) -> Tensor:
    r"""Upper bound of the triplet objective: distances to negatives less those to positives, over all triplets.

    .. math:: \sum_{i, j} w_{ij} \lVert x_i - x_j \rVert \ge O_T, \qquad
              w_{ij} = n_{\omega_i} - n \text{ within a class, } n_{\omega_i} - 1 \text{ between classes.}

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows.
    labels : array of shape (n_samples,)
        The class of each row.

    Returns
    -------
    tensor of shape ()
        Any real number, more = better separated; 0 if there is one class only.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or there is not one label for each row.

    Notes
    -----
    Invariant to translation and rotation; proportional to the scale, hence without bound. O(n² d) time, in blocks. A
    pair near contact pulls with a gradient of constant size, at contact with none. The source calls it a bound of the
    silhouette objective too, which it is not.

    References
    ----------
    Mickus, Grönroos & Attieh 2024, Isotropy, clusters, and classifiers, eq. 5, arXiv:2402.03191.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import triplet_bound
    >>> triplet_bound(torch.tensor([[0.0], [2.0], [3.0]]), [0, 0, 1]).item()
    0.0
    """
    x = check_cloud(X)
    return _objectives.triplet_bound(x, check_batch_labels(labels, x.shape[0]))


def cosine_regularizer(X: Tensor) -> Tensor:
    r"""CosReg: the cosines between all rows, against the degeneration of a space to a cone.

    .. math:: \frac{1}{n^2} \sum_{i \ne j} \cos\theta_{ij} = \frac{\lVert \sum_i u_i \rVert^2 - n}{n^2}, \qquad
              u = x / \lVert x \rVert.

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows.

    Returns
    -------
    tensor of shape ()
        In [-1/n, 1), less = better: the least where the unit rows sum to zero.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or a row is zero.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n d) time. It holds off no pair: its gradient is the same for
    all rows up to their tangent spaces, and 0 where all rows are equal. The source divides by n², not n(n - 1).

    References
    ----------
    Gao et al. 2019, Representation degeneration problem in training language generation models, arXiv:1907.12009.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import cosine_regularizer
    >>> cosine_regularizer(torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [0.0, -1.0]])).item()
    0.0
    """
    return _objectives.cosine_regularizer(check_directed(X))


def uniformity(X: Tensor, *, t: float = 2.0) -> Tensor:
    r"""Uniformity: logarithm of the mean Gaussian potential between directions.

    .. math:: \log \frac{2}{n(n-1)} \sum_{i < j} e^{-t \lVert u_i - u_j \rVert^2}, \qquad u = x / \lVert x \rVert.

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows.
    t : float, default=2.0
        Sharpness of the potential, at least 0.

    Returns
    -------
    tensor of shape ()
        In [-4t, 0], less = more uniform.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, a row is zero, or t is negative or not finite.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles. The repulsion of a pair fades in
    proportion to its distance.

    References
    ----------
    Wang & Isola 2020, arXiv:2005.10242.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import uniformity
    >>> round(uniformity(torch.tensor([[1.0, 0.0], [0.0, 1.0]])).item(), 6)
    -4.0
    """
    return _energies.uniformity(check_directed(X), check_real(t, "t", low=0))


def alignment(X: Tensor, Y: Tensor, *, alpha: float = 2.0) -> Tensor:
    r"""Alignment: mean distance between the directions of rows that belong together.

    .. math:: \frac1n \sum_i \lVert u_i - v_i \rVert^\alpha, \qquad u = x / \lVert x \rVert, \; v = y / \lVert y \rVert.

    Parameters
    ----------
    X, Y : tensors of shape (n_samples, n_features)
        Two clouds; row i of one belongs to row i of the other.
    alpha : float, default=2.0
        The exponent, at least 0.

    Returns
    -------
    tensor of shape ()
        In [0, 2^α], less = better.

    Raises
    ------
    ValueError
        If X and Y are not finite matrices of one shape with at least two rows, a row is zero, or alpha is negative.

    Notes
    -----
    Invariant to a rotation of both and to the length of each row. O(n d) time. The gradient of a pair in contact
    is 0.

    References
    ----------
    Wang & Isola 2020, arXiv:2005.10242.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import alignment
    >>> alignment(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[2.0, 0.0], [1.0, 0.0]])).item()
    1.0
    """
    return _two_clouds.alignment(*check_directed_pairs(X, Y), check_real(alpha, "alpha", low=0))


def nt_xent(X: Tensor, Y: Tensor, *, temperature: float = 0.07) -> Tensor:
    r"""NT-Xent between two clouds: the symmetric contrastive loss of CLIP.

    .. math:: -\frac{1}{2n} \sum_i \log \frac{e^{c_{ii}/\tau}}{\sum_j e^{c_{ij}/\tau}}
              -\frac{1}{2n} \sum_i \log \frac{e^{c_{ii}/\tau}}{\sum_j e^{c_{ji}/\tau}},

    with c the cosines between the rows of X and of Y, and τ the temperature.

    Parameters
    ----------
    X, Y : tensors of shape (n_samples, n_features)
        Two clouds; row i of one belongs to row i of the other.
    temperature : float, default=0.07
        τ, positive; .07 is where CLIP's own starts, .01 where it ends.

    Returns
    -------
    tensor of shape ()
        At least 0, less = better; log n if all cosines are equal.

    Raises
    ------
    ValueError
        If X and Y are not finite matrices of one shape with at least two rows, a row is zero, or the temperature is not
        positive and finite.

    Notes
    -----
    Invariant to a rotation of both and to the length of each row. O(n² d) time in tiles, in logarithms. Negatives are
    the rows of the other cloud only; SimCLR adds those of the same one.

    References
    ----------
    Radford et al. 2021, arXiv:2103.00020.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import nt_xent
    >>> round(nt_xent(torch.eye(2), torch.eye(2), temperature=1.0).item(), 4)  # log(1 + 1/e)
    0.3133
    """
    tau = check_positive(temperature, "temperature")
    x, y = (side.unit() for side in check_directed_pairs(X, Y))
    return _energies.nt_xent(x / tau, namespace(x).astype(y, x.dtype))


def retention(X: Tensor, start: Tensor) -> Tensor:
    r"""Retention: how far rows have moved from where they started.

    .. math:: \frac1n \sum_i \lVert x_i - x_i^{(0)} \rVert^2.

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows.
    start : tensor of shape (n_samples, n_features)
        The same rows at the start.

    Returns
    -------
    tensor of shape ()
        At least 0, less = nearer to the start.

    Raises
    ------
    ValueError
        If X and start are not finite matrices of one shape, library and device.

    Notes
    -----
    Invariant to a rigid motion of both. O(n d) time; the gradient is 2 (x - x⁽⁰⁾)/n, 0 at the start.

    References
    ----------
    Weight decay towards a start: Li, Grandvalet & Davoine 2018, arXiv:1802.01483.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import retention
    >>> retention(torch.eye(2), torch.zeros(2, 2)).item()
    1.0
    """
    x, x0 = check_cloud(X, min_samples=1), check_cloud(start, name="start", min_samples=1)
    check_same_kind(x, x0, ("X", "start"))
    check_paired(x, x0, ("X", "start"))
    return _objectives.retention(x, x0)


def mma(X: Tensor) -> Tensor:
    r"""Maximum minimum angle: minus the mean angle of each row to its nearest.

    .. math:: -\frac1n \sum_i \min_{j \ne i} \theta_{ij}.

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows.

    Returns
    -------
    tensor of shape ()
        In radians, in [-π, 0], less = more dispersed.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or a row is zero.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles. The repulsion has constant size down to
    contact; rows of one direction have none.

    References
    ----------
    Wang et al. 2020, MMA regularization, arXiv:2006.06527.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import mma
    >>> round(mma(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])).item(), 4)
    -1.5708
    """
    return _energies.mma(_energies.nearest_in_angle(check_directed(X)))


def mmcs(X: Tensor) -> Tensor:
    r"""Mean largest cosine of each row to another.

    .. math:: \frac1n \sum_i \max_{j \ne i} \cos\theta_{ij}.

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows.

    Returns
    -------
    tensor of shape ()
        In [-1, 1], less = more dispersed.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or a row is zero.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles. The repulsion of a pair fades in
    proportion to its angle, so that rows can stick together: prefer `mma`. The reference code of [1]_ adds 1.

    References
    ----------
    .. [1] Tokarchuk et al. 2025, Keep your distance, arXiv:2502.08231.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import mmcs
    >>> round(mmcs(torch.tensor([[1.0, 0.0], [3.0, 4.0]])).item(), 4)
    0.6
    """
    return _energies.mmcs(_energies.nearest_in_angle(check_directed(X)))


def koleo(X: Tensor) -> Tensor:
    r"""Kozachenko-Leonenko loss: minus the mean logarithm of the distance of each row to its nearest.

    .. math:: -\frac1n \sum_i \log \min_{j \ne i} \lVert u_i - u_j \rVert, \qquad u = x / \lVert x \rVert.

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows.

    Returns
    -------
    tensor of shape ()
        At least -log 2, less = more dispersed; inf, with a finite gradient, if two rows have one direction.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or a row is zero.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles. The repulsion grows as 1/‖u - v‖ towards
    contact; rows of one direction have none.

    References
    ----------
    Sablayrolles et al. 2019, Spreading vectors for similarity search, arXiv:1806.03198.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import koleo
    >>> round(koleo(torch.tensor([[1.0, 0.0], [-2.0, 0.0]])).item(), 4)
    -0.6931
    """
    return _energies.koleo(_energies.nearest_in_angle(check_directed(X)))


def kernel_energy(X: Tensor, *, kernel: str = "gaussian", gamma: float = 1.0, distance: str = "chordal") -> Tensor:
    r"""Mean kernel between different directions.

    .. math:: \frac{2}{n(n-1)} \sum_{i < j} k(\delta_{ij}), \qquad
              k(\delta) = e^{-\gamma \delta^2} \text{ (gaussian) or } e^{-\gamma \delta} \text{ (laplace)},

    where δ is the chord ‖u - v‖ or the angle θ between the directions.

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows.
    kernel : {"gaussian", "laplace"}, default="gaussian"
        The kernel.
    gamma : float, default=1.0
        Its sharpness, at least 0.
    distance : {"chordal", "geodesic"}, default="chordal"
        The straight distance ‖u - v‖ = √(2 - 2 cos θ), or θ in radians.

    Returns
    -------
    tensor of shape ()
        In [0, 1], less = more dispersed.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, a row is zero, or an option is unknown or out of range.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles. The repulsion of the Gaussian kernel
    fades in proportion to the distance of a pair; that of the Laplace kernel tends to γ, and is 0 at contact only. The
    reference code of [1]_ has other kernels: see `skgeom.metrics.kernel_energy`.

    References
    ----------
    .. [1] Tokarchuk et al. 2025, Keep your distance, arXiv:2502.08231.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import kernel_energy
    >>> X = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> round(kernel_energy(X).item(), 4), round(kernel_energy(X, kernel="laplace", distance="geodesic").item(), 4)
    (0.1353, 0.2079)
    """
    check_choice(kernel, ("gaussian", "laplace"), "kernel")
    check_choice(distance, _DISTANCES, "distance")
    sharpness = check_real(gamma, "gamma", low=0)
    return _energies.mean_energy(check_directed(X), _energies.KERNELS[kernel, distance](sharpness))


def riesz_energy(X: Tensor, *, s: float = 1.0, distance: str = "chordal") -> Tensor:
    r"""Mean Riesz energy between different directions; with angles the hyperspherical energy (MHE).

    .. math:: \frac{2}{n(n-1)} \sum_{i < j} \delta_{ij}^{-s}, \quad
              \text{of } -\log \delta_{ij} \text{ for } s = 0 \text{ and of } -\delta_{ij}^{|s|} \text{ for } s < 0,

    where δ is the chord ‖u - v‖ or the angle θ between the directions.

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows.
    s : float, default=1.0
        The exponent; 1 is the energy of Thomson's electrons.
    distance : {"chordal", "geodesic"}, default="chordal"
        The straight distance ‖u - v‖ = √(2 - 2 cos θ), or θ in radians.

    Returns
    -------
    tensor of shape ()
        Less = more dispersed; inf, with a finite gradient, if two rows have one direction and s ≥ 0.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, a row is zero, s is not finite, or the distance is unknown.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles. The repulsion grows as δ^(-s-1) towards
    contact; rows of one direction have none. A mean over pairs: the reference code of [1]_ takes twice the mean, or the
    sum.

    References
    ----------
    .. [1] Tokarchuk et al. 2025, Keep your distance, arXiv:2502.08231.
    .. [2] Liu et al. 2018, Learning towards minimum hyperspherical energy, arXiv:1805.09298.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import riesz_energy
    >>> X = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    >>> round(riesz_energy(X).item(), 4), round(riesz_energy(X, s=0).item(), 4)
    (0.6381, -0.4621)
    """
    check_choice(distance, _DISTANCES, "distance")
    exponent = check_real(s, "s")
    return _energies.mean_energy(check_directed(X), _energies.KERNELS["riesz", distance](exponent))


def mmd_uniform(X: Tensor, *, gamma: float = 1.0) -> Tensor:
    r"""Squared maximum mean discrepancy between the directions and the uniform distribution on the sphere.

    .. math:: \frac{1}{n^2} \sum_{i, j} e^{-\gamma \lVert u_i - u_j \rVert^2} -
              e^{-2\gamma} {}_0F_1\bigl(; \tfrac{d}{2}; \gamma^2\bigr).

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows.
    gamma : float, default=1.0
        Sharpness of the Gaussian kernel, at least 0.

    Returns
    -------
    tensor of shape ()
        In [0, 1], less = closer to uniform.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, a row is zero, or gamma is negative or not finite.

    Notes
    -----
    Invariant to rotation and to the length of each row. O(n² d) time in tiles, no samples of the uniform distribution. The
    gradient is (n - 1)/n of that of the Gaussian `kernel_energy`, and fades in the same way towards contact.

    References
    ----------
    Tokarchuk et al. 2025, Keep your distance, arXiv:2502.08231.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import mmd_uniform
    >>> X = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
    >>> bool(mmd_uniform(X) < 0.01 < mmd_uniform(X + 1))
    True
    """
    return _energies.mmd_uniform(check_directed(X), check_real(gamma, "gamma", low=0))


def lloyd(X: Tensor, generator: torch.Generator, *, n_points: int = 512) -> Tensor:
    r"""Lloyd's quantisation error: mean squared angle from random points of the sphere to their nearest row.

    .. math:: \frac1m \sum_{k=1}^m \min_i \theta(s_k, x_i)^2, \qquad s_k \text{ independent and uniform.}

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows.
    generator : torch.Generator
        Draws the points, fresh ones at each call; of any device.
    n_points : int, default=512
        Their number m.

    Returns
    -------
    tensor of shape ()
        In [0, π²], less = more dispersed; an unbiased estimate of the error over the whole sphere.

    Raises
    ------
    TypeError
        If generator is not a generator of Torch.
    ValueError
        If X is not a finite matrix of at least two rows, a row is zero, or n_points is not positive.

    Notes
    -----
    Invariant in distribution to rotation, and to the length of each row. O(m n d) time, in blocks. Each row is drawn towards the
    points it is nearest to, so rows repel each other only through the cells they share; rows of one direction share one
    cell, which goes to the first. The gradient is finite at contact with a point, where it is 0, and opposite to it.

    References
    ----------
    Tokarchuk et al. 2025, Keep your distance, arXiv:2502.08231.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import lloyd
    >>> round(lloyd(torch.tensor([[1.0], [-1.0]]), torch.Generator().manual_seed(0)).item(), 4)
    0.0
    """
    check_generator(generator)
    m, rows = check_count(n_points, "n_points"), check_directed(X)
    points = _normal((m, rows.x.shape[1]), generator)
    return _sliced.lloyd(rows, asarray_like(points, rows.x, dtype=namespace(rows.x).float64))


def sliced_dispersion(X: Tensor, generator: torch.Generator, *, n_circles: int = 1) -> Tensor:
    r"""Sliced dispersion: squared distance of the angles on random great circles to the nearest even spacing.

    .. math:: \frac12 \sum_i (\theta_i - \theta_i^*)^2, \qquad
              \theta_i^* = \bar\theta + \frac{2\pi}{n}\Bigl(r_i - \frac{n + 1}{2}\Bigr),

    with θ the angles of the rows projected to the plane of the circle and r their ranks; averaged over circles.

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows, of at least two features.
    generator : torch.Generator
        Draws the circles, uniformly and afresh at each call; of any device.
    n_circles : int, default=1
        Their number.

    Returns
    -------
    tensor of shape ()
        At least 0, less = more dispersed; about n times a constant for rows crowded on one side.

    Raises
    ------
    TypeError
        If generator is not a generator of Torch.
    ValueError
        If X is not a finite matrix of at least two rows and two features, a row is zero, or n_circles is not positive.

    See Also
    --------
    axis_sliced_dispersion : The same in the planes of two features, without projections.
    spherical_sliced_wasserstein : The same number on another scale.

    Notes
    -----
    Invariant in distribution to rotation, and to the length of each row. O(n d + n log n) time and O(n) memory for each circle.
    The gradient is finite: rows of one direction have different ranks and move apart, and a row that projects to the
    centre of a circle, where it has no angle, stays.

    References
    ----------
    Tokarchuk et al. 2025, Keep your distance, arXiv:2502.08231.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import sliced_dispersion
    >>> X = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> round(sliced_dispersion(X, torch.Generator().manual_seed(0)).item(), 6)
    0.0
    """
    return _sliced.sliced_dispersion(*_on_circles(X, generator, n_circles))


def axis_sliced_dispersion(X: Tensor, generator: torch.Generator, *, n_planes: int = 1) -> Tensor:
    r"""Axis-aligned sliced dispersion: the same in random planes of two features each.

    .. math:: \frac12 \sum_i (\theta_i - \theta_i^*)^2, \qquad \theta_i = \operatorname{atan2}(x_{il}, x_{ik}),

    with θ* as in `sliced_dispersion`, averaged over pairs of features k ≠ l.

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows, of at least two features.
    generator : torch.Generator
        Draws the pairs of features, afresh at each call; of any device.
    n_planes : int, default=1
        Their number.

    Returns
    -------
    tensor of shape ()
        At least 0, less = more dispersed.

    Raises
    ------
    TypeError
        If generator is not a generator of Torch.
    ValueError
        If X is not a finite matrix of at least two rows and two features, a row is zero, or n_planes is not positive.

    Notes
    -----
    Invariant to the length of each row, not to rotation. O(n log n) time for each plane. The gradient behaves as in
    `sliced_dispersion`. Few features have few planes: on the sphere of three it spreads points badly.

    References
    ----------
    Tokarchuk et al. 2025, Keep your distance, arXiv:2502.08231.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import axis_sliced_dispersion
    >>> X = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> round(axis_sliced_dispersion(X, torch.Generator().manual_seed(0)).item(), 6)
    0.0
    """
    check_generator(generator)
    m, x = check_count(n_planes, "n_planes"), check_directed(X).x
    check_plane(x)
    d = x.shape[1]
    first = torch.randint(d, (m,), generator=generator, device=generator.device)
    second = (first + torch.randint(1, d, (m,), generator=generator, device=generator.device)) % d
    index = (asarray_like(axis, x, dtype=namespace(x).int64) for axis in (first, second))
    return _sliced.sliced_dispersion(*_sliced.on_axes(x, *index))


def spherical_sliced_wasserstein(X: Tensor, generator: torch.Generator, *, n_circles: int = 50) -> Tensor:
    r"""Squared spherical sliced Wasserstein distance between the directions and the uniform distribution.

    .. math:: SSW_2^2 = \frac1m \sum_{k=1}^m W_2^2\bigl(P_k X, \mathrm{Unif}(S^1)\bigr), \qquad
              \text{sliced} = \tfrac12 n (2\pi)^2 \Bigl(SSW_2^2 - \frac{1}{12 n^2}\Bigr),

    with P_k the projection to a random great circle of length 1, and sliced the value of `sliced_dispersion`.

    Parameters
    ----------
    X : tensor of shape (n_samples, n_features)
        The rows, of at least two features.
    generator : torch.Generator
        Draws the circles, uniformly and afresh at each call; of any device.
    n_circles : int, default=50
        Their number m.

    Returns
    -------
    tensor of shape ()
        In [1/(12 n²), 1/12], less = closer to uniform.

    Raises
    ------
    TypeError
        If generator is not a generator of Torch.
    ValueError
        If X is not a finite matrix of at least two rows and two features, a row is zero, or n_circles is not positive.

    Notes
    -----
    Invariant in distribution to rotation, and to the length of each row. O(m n (d + log n)) time, O(m n) memory. The gradient
    behaves as that of `sliced_dispersion`. The function of POT returns the square root.

    References
    ----------
    Bonet et al. 2023, Spherical sliced-Wasserstein, arXiv:2206.08780.

    Examples
    --------
    >>> import torch
    >>> from skgeom.optim import spherical_sliced_wasserstein
    >>> X = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    >>> round(spherical_sliced_wasserstein(X, torch.Generator().manual_seed(0)).item() * 12 * 4**2, 6)
    1.0
    """
    return _sliced.spherical_sliced_wasserstein(*_on_circles(X, generator, n_circles))


def _on_circles(X: Tensor, generator: torch.Generator, n_circles: int) -> tuple[Tensor, Tensor]:
    """Return the coordinates of the rows in the planes of random great circles."""
    check_generator(generator)
    m, x = check_count(n_circles, "n_circles"), check_directed(X).x
    check_plane(x)
    d = x.shape[1]
    planes = torch.linalg.qr(_normal((m, d, 2), generator)).Q.permute(2, 0, 1)
    return _sliced.on_planes(x, asarray_like(planes, x))


def _normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float64)


class Loss(NamedTuple):
    """One row of the table.

    `needs` says what the function takes besides the rows: nothing ("rows"), "labels", "targets" (a second cloud),
    "start" (the rows at the start) or "generator"; `direction` is +1 where more is better, -1 where less is.
    """

    name: str
    function: Callable[..., Tensor]
    needs: str
    direction: int
    source: str


_MICKUS = "Mickus et al. 2024, arXiv:2402.03191"
_TOKARCHUK = "Tokarchuk et al. 2025, arXiv:2502.08231"
_WANG = "Wang & Isola 2020, arXiv:2005.10242"
_LIU = "Liu et al. 2018, arXiv:1805.09298"

# fmt: off
_ROWS = (
    Loss("silhouette_objective", silhouette_objective, "labels", +1, _MICKUS),
    Loss("isotropy_objective", isotropy_objective, "rows", +1, _MICKUS),
    Loss("isoscore", isoscore, "rows", +1, "Rudman et al. 2022, arXiv:2108.07344"),
    Loss("isoscore_star", isoscore_star, "rows", +1, "Rudman & Eickhoff 2024, arXiv:2305.19358"),
    Loss("classifier_objective", classifier_objective, "labels", +1, _MICKUS),
    Loss("triplet_objective", triplet_objective, "labels", +1, _MICKUS),
    Loss("triplet_bound", triplet_bound, "labels", +1, _MICKUS),
    Loss("cosine_regularizer", cosine_regularizer, "rows", -1, "Gao et al. 2019, arXiv:1907.12009"),
    Loss("uniformity", uniformity, "rows", -1, _WANG),
    Loss("alignment", alignment, "targets", -1, _WANG),
    Loss("nt_xent", nt_xent, "targets", -1, "Radford et al. 2021, arXiv:2103.00020"),
    Loss("retention", retention, "start", -1, "Li et al. 2018, arXiv:1802.01483"),
    Loss("mma", mma, "rows", -1, "Wang et al. 2020, arXiv:2006.06527"),
    Loss("mmcs", mmcs, "rows", -1, _TOKARCHUK),
    Loss("koleo", koleo, "rows", -1, "Sablayrolles et al. 2019, arXiv:1806.03198"),
    Loss("gaussian", kernel_energy, "rows", -1, _TOKARCHUK),
    Loss("laplace", partial(kernel_energy, kernel="laplace"), "rows", -1, _TOKARCHUK),
    Loss("geodesic_gaussian", partial(kernel_energy, distance="geodesic"), "rows", -1, _TOKARCHUK),
    Loss("geodesic_laplace", partial(kernel_energy, kernel="laplace", distance="geodesic"), "rows", -1, _TOKARCHUK),
    Loss("riesz", riesz_energy, "rows", -1, _LIU),
    Loss("mhe", partial(riesz_energy, distance="geodesic"), "rows", -1, _LIU),
    Loss("mmd_uniform", mmd_uniform, "rows", -1, _TOKARCHUK),
    Loss("lloyd", lloyd, "generator", -1, _TOKARCHUK),
    Loss("sliced_dispersion", sliced_dispersion, "generator", -1, _TOKARCHUK),
    Loss("axis_sliced_dispersion", axis_sliced_dispersion, "generator", -1, _TOKARCHUK),
    Loss("spherical_sliced_wasserstein", spherical_sliced_wasserstein, "generator", -1,
         "Bonet et al. 2023, arXiv:2206.08780"),
)
# fmt: on

LOSSES: dict[str, Loss] = {row.name: row for row in _ROWS}
"""The losses by name: what each takes and where it is better; the kernels and the energies with their usual options."""
