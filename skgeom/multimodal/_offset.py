"""Two clouds that move along their offsets: their contrastive loss, and the divergence of their conformities."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from skgeom._array import in_full_precision, namespace, numbers
from skgeom._core._rows import DirectedRows, are_exact_lengths, mean_of, norms
from skgeom._core._two_clouds import contrastive_loss
from skgeom._core.sums._angular import conformity
from skgeom._typing import Array
from skgeom._validation import (
    check_choice,
    check_clouds,
    check_count,
    check_directed,
    check_numbers,
    check_paired_clouds,
    check_temperature,
)
from skgeom.metrics._checks import Density, check_divergence

Movers: TypeAlias = Literal["X", "Y", "both"]
"""The clouds that a shift moves."""


@in_full_precision
def loss_along_offset(
    X: Any, Y: Any, alphas: Any, *, temperature: float = 0.01, batch_size: int | None = None
) -> np.ndarray:
    r"""Contrastive loss of two modalities, each shifted along its own mean.

    .. math:: L(\alpha) = \mathrm{NT\text{-}Xent}_\tau(x - \alpha \bar x,\; y - \alpha \bar y),

    the symmetric cross-entropy of the cosines over the temperature,
    :math:`-\frac{1}{2n} \sum_i \big( \log \mathrm{softmax}_j\, s_{ij} + \log \mathrm{softmax}_j\, s_{ji} \big)_{j = i}`
    with :math:`s_{ij} = \cos(x_i, y_j) / \tau`. At α = 0 the clouds are unchanged, at α = 1 centred. A minimum at 0
    shows that the loss favours the offset of the clouds.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Embeddings of one modality; raw ones, since normalising is part of the loss.
    Y : array of shape (n_samples, n_features)
        Embeddings of the other: row i belongs to row i of X.
    alphas : float or array of shape (n_alphas,)
        Shifts, in units of the means.
    temperature : float, default=0.01
        τ, greater than 0. CLIP learnt 0.01; the position of the minimum depends on it.
    batch_size : int, default=None
        Number of pairs that compete, at least 2; the loss is averaged over the whole batches of so many rows, in order,
        and rows after the last batch are left out. None, or fewer rows than a batch, uses all pairs as one batch.

    Returns
    -------
    ndarray of shape (n_alphas,), or of shape () for one number
        The losses, at least 0, best = 0.

    Raises
    ------
    TypeError
        If a parameter is not a number.
    ValueError
        If X or Y is not a finite matrix of at least two rows, the rows do not come in pairs, a shifted row is zero (as
        rows at the mean are at α = 1), even one that is left out, the two differ in width, library or device, or a
        parameter is out of range.

    See Also
    --------
    double_ellipsoid : Tests whether the minimum is at 0.
    divergence_along_offset : The distance between the conformities meanwhile.

    Notes
    -----
    Invariant to rotation and to a factor for each cloud. O(n d batch_size) time for each α, memory of a few tiles.
    Shifting scales the cosines: near the minimum α acts as a change of temperature.

    References
    ----------
    Levi & Gilboa 2025, The double-ellipsoid geometry of CLIP, arXiv:2411.14517.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.datasets import make_double_ellipsoid
    >>> from skgeom.multimodal import loss_along_offset
    >>> X, Y = make_double_ellipsoid(1000, random_state=0)
    >>> losses = loss_along_offset(X, Y, [-1, 0, 1], batch_size=500)
    >>> int(losses.argmin())
    1
    """
    steps = check_numbers(alphas, "alphas")
    check_temperature(temperature)
    x, y = check_paired_clouds(X, Y, scale_free=True)
    size = x.shape[0] if batch_size is None else check_count(batch_size, "batch_size", 2)
    return np.reshape(shifted_losses(x, y, steps.ravel(), float(temperature), size), steps.shape)


@in_full_precision
def divergence_along_offset(
    X: Any, Y: Any, alphas: Any, *, move: Movers = "both", method: Density = "gaussian", bins: int = 50
) -> np.ndarray:
    r"""Divergence of the conformities of two modalities, of which one or both are shifted along their own means.

    .. math:: D(\alpha) = \mathrm{KL}\big(P_{x - \alpha \bar x} \,\Vert\, P_{y - \alpha \bar y}\big),

    with P the distribution of the conformities within a cloud, as in `skgeom.metrics.conformity_divergence`. At α = 0
    the clouds are unchanged.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Embeddings of one modality; raw ones, since normalising is part of conformity.
    Y : array of shape (m_samples, n_features)
        Embeddings of the other; the rows need not be paired.
    alphas : float or array of shape (n_alphas,)
        Shifts, in units of the means.
    move : {"X", "Y", "both"}, default="both"
        The clouds that are shifted. If one moves, it reaches the offset of the other, and the divergence has its
        minimum where they match; if both move, their conformities vanish at α = 1.
    method : {"gaussian", "histogram"}, default="gaussian"
        Estimator of the distributions.
    bins : int, default=50
        Number of bins of the histograms.

    Returns
    -------
    ndarray of shape (n_alphas,), or of shape () for one number
        The divergences, at least 0, best = 0; infinite as in `skgeom.metrics.conformity_divergence`.

    Raises
    ------
    TypeError
        If alphas are not numbers, or `bins` is not an integer.
    ValueError
        If X or Y is not a finite matrix of at least two rows, a shifted row is zero, the two differ in width, library
        or device, or a parameter is out of range.

    See Also
    --------
    skgeom.metrics.conformity_divergence : At α = 0.
    loss_along_offset : The contrastive loss on the way.

    Notes
    -----
    Invariant to rotation of either cloud and to a factor for each. O(n d) time for each α, memory of a shifted cloud.
    The source states neither which clouds move, nor direction and estimator of the divergence.

    References
    ----------
    Levi & Gilboa 2025, The double-ellipsoid geometry of CLIP, arXiv:2411.14517.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.datasets import make_double_ellipsoid
    >>> from skgeom.multimodal import divergence_along_offset
    >>> X, Y = make_double_ellipsoid(1000, random_state=0)
    >>> alphas = np.linspace(-0.3, 0.3, 7)
    >>> round(float(alphas[divergence_along_offset(X, Y, alphas, move="X").argmin()]), 1)
    -0.1
    """
    steps = check_numbers(alphas, "alphas")
    check_choice(move, get_args(Movers), "move")
    divergence = check_divergence(method, bins)
    clouds = dict(zip("XY", check_clouds(X, Y, scale_free=True), strict=True))
    means = {name: mean_of(x) for name, x in clouds.items()}
    shifts = {name: (steps * (move in (name, "both"))).ravel().tolist() for name in "XY"}
    different = [(name, alpha) for name in "XY" for alpha in dict.fromkeys(shifts[name])]

    def shifted(name: str, alpha: float) -> Array:
        return _shifted(clouds[name], alpha * means[name])

    def conformities(name: str, alpha: float) -> tuple[Array, tuple[Array, Array]]:
        rows = shifted(name, alpha)
        lengths = norms(rows)
        return conformity(DirectedRows(rows, lengths)), _extremes(lengths)

    with np.errstate(all="ignore"):  # the checks explain it
        found, ends = zip(*(conformities(*shift) for shift in different), strict=True)
    extremes = np.reshape(numbers([end for of_shift in ends for end in of_shift]), (-1, 2))
    of = {
        (name, alpha): values
        if are_exact_lengths(clouds[name], *of_shift)
        else conformity(check_directed(shifted(name, alpha), name=f"{name} - {alpha:g} · mean"))
        for (name, alpha), values, of_shift in zip(different, found, extremes, strict=True)
    }
    pairs = zip(shifts["X"], shifts["Y"], strict=True)
    return np.reshape(numbers([divergence(of["X", a], of["Y", b]) for a, b in pairs]), steps.shape)


def shifted_losses(x: Array, y: Array, alphas: np.ndarray, temperature: float, batch_size: int) -> np.ndarray:
    """Return the loss of paired clouds at each shift along their means."""
    means, n = (mean_of(x), mean_of(y)), x.shape[0]
    size = min(batch_size, n)
    batches = [slice(start, min(start + size, n)) for start in range(0, n, size)]
    cuts = [(alpha, batch) for alpha in alphas.tolist() for batch in batches]

    def shifted(alpha: float, batch: slice) -> list[Array]:
        return [_shifted(z[batch, :], alpha * mean) for z, mean in zip((x, y), means, strict=True)]

    with np.errstate(over="ignore", invalid="ignore"):  # the checks explain it
        lengths = numbers([end for cut in cuts for z in shifted(*cut) for end in _extremes(norms(z))])

    def directed(alpha: float, batch: slice, ends: np.ndarray) -> list[DirectedRows]:
        """Return the shifted rows of a batch; those of extreme lengths, which the host knows already, are checked."""
        where = f"{alpha:g} · mean" + (f" in rows {batch.start} to {batch.stop - 1}," if len(batches) > 1 else "")
        return [
            DirectedRows(z, norms(z))
            if are_exact_lengths(z, *of_z)
            else check_directed(z, name=f"{name} - {where}", min_samples=1)
            for name, z, of_z in zip("XY", shifted(alpha, batch), ends, strict=True)
        ]

    # the rows after the last whole batch are checked as all others are
    rows = (directed(*cut, ends) for cut, ends in zip(cuts, np.reshape(lengths, (-1, 2, 2)), strict=True))
    losses = [contrastive_loss(a, b, temperature) for a, b in rows if a.x.shape[0] == size]
    return np.mean(np.reshape(numbers(losses), (alphas.size, -1)), axis=1)


def _extremes(lengths: Array) -> tuple[Array, Array]:
    xp = namespace(lengths)
    return xp.min(lengths), xp.max(lengths)


def _shifted(x: Array, offset: Array) -> Array:
    return x - namespace(x).astype(offset, x.dtype)
