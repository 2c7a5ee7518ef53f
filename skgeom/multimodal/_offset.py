"""The contrastive loss as the clouds move along their offsets."""

from __future__ import annotations

from typing import Any

import numpy as np

from skgeom._array import namespace, to_float
from skgeom._core._rows import mean_of
from skgeom._core._two_clouds import contrastive_loss
from skgeom._typing import Array
from skgeom._validation import (
    check_count,
    check_directed,
    check_numbers,
    check_paired_clouds,
    check_positive,
)


def loss_along_offset(
    X: Any, Y: Any, alphas: Any, *, temperature: float = 0.01, batch_size: int | None = None
) -> np.ndarray:
    r"""Contrastive loss of two modalities, each shifted along its own mean.

    .. math:: L(\alpha) = \mathrm{NT\text{-}Xent}_\tau(x - \alpha \bar x,\; y - \alpha \bar y),

    the symmetric cross-entropy of the cosines over the temperature,
    :math:`-\frac{1}{2n} \sum_i \big( \log \mathrm{softmax}_j\, s_{ij} + \log \mathrm{softmax}_j\, s_{ji} \big)_{j = i}`
    with :math:`s_{ij} = \cos(x_i, y_j) / \tau`. At α = 0 the clouds are as they came, at α = 1 centred. A minimum at 0
    says that the offset of the clouds is what the loss wants.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Embeddings of one modality; raw ones, since normalising is part of the loss.
    Y : array of shape (n_samples, n_features)
        Embeddings of the other: row i belongs to row i of X.
    alphas : float or array of shape (n_alphas,)
        Shifts, in units of the means.
    temperature : float, default=0.01
        τ, greater than 0. CLIP learnt 0.01; where the minimum lies depends on it.
    batch_size : int, default=None
        Number of pairs that compete, at least 2; the loss is averaged over the whole batches of so many rows, in order,
        and rows after the last are left out. None takes all pairs as one batch, which fewer rows than a batch are, too.

    Returns
    -------
    ndarray of shape (n_alphas,), or of shape () for one number
        The losses, at least 0, best = 0.

    Raises
    ------
    TypeError
        If a parameter is not a number.
    ValueError
        If X or Y is not a finite matrix of at least two rows, the rows do not come in pairs, a shifted row is zero
        (as rows at the mean are at α = 1), be it one that is left out, the two differ in width, library or device, or a
        parameter is out of range.

    See Also
    --------
    double_ellipsoid : Says whether the minimum is at 0.

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
    check_positive(temperature, "temperature")
    x, y = check_paired_clouds(X, Y, scale_free=True)
    size = x.shape[0] if batch_size is None else check_count(batch_size, "batch_size", 2)
    return np.reshape(shifted_losses(x, y, steps.ravel(), float(temperature), size), steps.shape)


def shifted_losses(x: Array, y: Array, alphas: np.ndarray, temperature: float, batch_size: int) -> np.ndarray:
    """Return the loss of paired clouds at each shift along their means."""
    means, n = (mean_of(x), mean_of(y)), x.shape[0]
    size = min(batch_size, n)
    batches = [slice(start, min(start + size, n)) for start in range(0, n, size)]

    def loss(alpha: float, batch: slice) -> float:
        """Return the loss of a batch, 0 of one that is not whole: its rows are checked as all others are."""
        where = f"{alpha:g} · mean" + (f" in rows {batch.start} to {batch.stop - 1}," if len(batches) > 1 else "")
        rows, others = (
            check_directed(_shifted(z[batch, :], alpha * mean), name=f"{name} - {where}", min_samples=1)
            for name, z, mean in zip("XY", (x, y), means, strict=True)
        )
        return to_float(contrastive_loss(rows, others, temperature)) if batch.stop - batch.start == size else 0.0

    return np.asarray([sum(loss(alpha, batch) for batch in batches) / (n // size) for alpha in alphas.tolist()])


def _shifted(x: Array, offset: Array) -> Array:
    return x - namespace(x).astype(offset, x.dtype)
