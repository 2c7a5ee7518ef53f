"""Losses of contrastive learning, as measures of two paired clouds."""

from __future__ import annotations

from typing import Any

import numpy as np

from skgeom._array import namespace, to_numpy
from skgeom._core import _two_clouds
from skgeom._core.pairs import _energies
from skgeom._core.pairs._between_blocks import means_without
from skgeom._typing import Array
from skgeom._validation import check_directed_pairs, check_real
from skgeom.metrics._checks import check_batch_labels, check_learnt_temperature
from skgeom.metrics._measure import DIRECTIONS, measure

_ROWS_PER_BLOCK = 8
"""Number of rows from which on a block is worth its own tiles, which also bounds the memory for its sums."""


def _alignment_without_blocks(X: Any, Y: Any, *, codes: np.ndarray, alpha: float) -> np.ndarray:
    values = _two_clouds.alignments(*check_directed_pairs(X, Y), check_real(alpha, "alpha", low=0))
    return means_without(codes, to_numpy(values))


def _cosine_without_blocks(X: Any, Y: Any, *, codes: np.ndarray) -> np.ndarray:
    return 1 - _alignment_without_blocks(X, Y, codes=codes, alpha=2.0) / 2


@measure(
    direction=-1,
    bounds=("0", "2 ** alpha"),
    invariances=DIRECTIONS,
    cost="O(n d)",
    source="Wang & Isola 2020, arXiv:2005.10242",
    needs="partners",
    without_blocks=_alignment_without_blocks,
)
def alignment_loss(X: Any, Y: Any, *, alpha: float = 2.0) -> Array:
    r"""Alignment: mean distance between the directions of rows that belong together.

    .. math:: \frac1n \sum_i \lVert u_i - v_i \rVert^\alpha, \qquad u = x / \lVert x \rVert, \; v = y / \lVert y \rVert.

    Parameters
    ----------
    X, Y : arrays of shape (n_samples, n_features)
        Two clouds; row i of one belongs to row i of the other.
    alpha : float, default=2.0
        The exponent, at least 0.

    Returns
    -------
    float or 0-d array
        In [0, 2^α], best = 0.

    Raises
    ------
    ValueError
        If X and Y are not finite matrices of the same shape with at least two rows, a row is zero, or alpha is
        negative.

    See Also
    --------
    uniformity : Its counterpart; alignment alone is best for a collapsed space.

    Notes
    -----
    Invariant to a rotation of both and to the length of each row. O(n d) time. The gradient of a pair in contact is 0.

    References
    ----------
    Wang & Isola 2020, arXiv:2005.10242.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import alignment_loss
    >>> alignment_loss(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[2.0, 0.0], [1.0, 0.0]]))
    1.0
    """
    return _two_clouds.alignment(*check_directed_pairs(X, Y), check_real(alpha, "alpha", low=0))


@measure(
    direction=+1,
    bounds=("-1", "1"),
    invariances=DIRECTIONS,
    cost="O(n d)",
    source="Wang & Isola 2020, arXiv:2005.10242",
    needs="partners",
    without_blocks=_cosine_without_blocks,
)
def paired_cosine(X: Any, Y: Any) -> Array:
    r"""Mean cosine between rows that belong together.

    .. math:: \frac1n \sum_i \cos(x_i, y_i).

    Parameters
    ----------
    X, Y : arrays of shape (n_samples, n_features)
        Two clouds; row i of one belongs to row i of the other.

    Returns
    -------
    float or 0-d array
        In [-1, 1], best = 1.

    Raises
    ------
    ValueError
        If X and Y are not finite matrices of the same shape with at least two rows, or a row is zero.

    See Also
    --------
    retrieval_score : Whether a row is nearer to its own partner than to those of others.

    Notes
    -----
    Invariant to a rotation of both and to the length of each row. O(n d) time. It is 1 - `alignment_loss` / 2.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import paired_cosine
    >>> paired_cosine(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[2.0, 0.0], [1.0, 0.0]]))
    0.5
    """
    return _two_clouds.paired_cosine(*check_directed_pairs(X, Y))


def _clip_loss_without_blocks(X: Any, Y: Any, *, codes: np.ndarray, temperature: Any, labels: Any) -> np.ndarray | None:
    """Return None with labels, or for blocks so small that a tile for each two takes longer than a pass for each."""
    if labels is not None or codes.size < _ROWS_PER_BLOCK * (codes.max() + 1):
        return None
    return np.maximum(_energies.nt_xent_without(codes, *_logits(X, Y, temperature)), 0)


@measure(
    direction=-1,
    bounds=("0", "log(n) + 2 / temperature"),
    invariances=DIRECTIONS,
    cost="O(n² d)",
    source="Radford et al. 2021, arXiv:2103.00020",
    needs="partners",
    estimand="sample",
    without_blocks=_clip_loss_without_blocks,
)
def clip_loss(X: Any, Y: Any, *, temperature: Any = 0.01, labels: Any = None) -> Array:
    r"""Symmetric contrastive loss of CLIP (NT-Xent, InfoNCE in both directions).

    .. math:: -\frac{1}{2n} \sum_i \log \frac{e^{c_{ii}/\tau}}{\sum_j e^{c_{ij}/\tau}}
              -\frac{1}{2n} \sum_i \log \frac{e^{c_{ii}/\tau}}{\sum_j e^{c_{ji}/\tau}},

    with c the cosines between the rows of X and of Y, and τ the temperature [1]_. With `labels`, the rows of the other
    cloud with the same label, P(i), are all positives, averaged outside the logarithm as in the supervised contrastive
    loss [2]_:

    .. math:: -\frac{1}{2n} \sum_i \frac{1}{\lvert P(i) \rvert} \sum_{p \in P(i)} \Bigl(
              \log \frac{e^{c_{ip}/\tau}}{\sum_j e^{c_{ij}/\tau}} +
              \log \frac{e^{c_{pi}/\tau}}{\sum_j e^{c_{ji}/\tau}} \Bigr).

    Parameters
    ----------
    X, Y : arrays of shape (n_samples, n_features)
        Two clouds; row i of one belongs to row i of the other.
    temperature : float or 0-d array, default=0.01
        τ, positive; CLIP's own goes from .07 at the start of training to .01 at the end. A 0-d array of the library of
        X, such as a Torch parameter, receives a gradient too.
    labels : array of shape (n_samples,), default=None
        The class of each pair, shared by row i of X and row i of Y. None: each pair is a class of its own.

    Returns
    -------
    float or 0-d array
        At least 0, best = 0; log n if all cosines are equal. With `labels`, at least the mean of log \|P(i)\|.

    Raises
    ------
    ValueError
        If X and Y are not finite matrices of the same shape with at least two rows, a row is zero, the temperature is
        not from 1e-30 to 1e30, or the numbers of labels and rows differ. (A single pair has no negatives: drop such a
        last batch, as `EmbeddingOptimizer` does.)
    TypeError
        If the temperature is neither a number nor a 0-d array of the library of X.

    Notes
    -----
    Invariant to a rotation of both and to the length of each row. O(n² d) time in tiles and logarithms, memory for a
    few copies of X, or a dozen with a gradient. The value depends on n: compare batches of one size. Negatives are only
    the rows of the other cloud; SimCLR adds those of the same cloud. Only the mean of the positives of a class is
    needed, so `labels` cost O(n d).

    References
    ----------
    .. [1] Radford et al. 2021, Learning transferable visual models from natural language supervision,
        arXiv:2103.00020.
    .. [2] Khosla et al. 2020, Supervised contrastive learning, eq. 2, arXiv:2004.11362.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import clip_loss
    >>> X = np.random.default_rng(0).normal(size=(100, 16))
    >>> round(clip_loss(X, X + 1, temperature=0.1), 3), round(clip_loss(X, X[::-1], temperature=0.1), 3)
    (0.82, 10.443)
    """
    x, y = _logits(X, Y, temperature)
    loss = _two_clouds.contrast(x, y, None if labels is None else check_batch_labels(labels, x.shape[0]))
    return namespace(x).clip(loss, min=0.0)  # which rounding must not make negative


def _logits(X: Any, Y: Any, temperature: Any) -> tuple[Array, Array]:
    """Return two arrays whose products are the cosines over the temperature."""
    x, y = (side.unit() for side in check_directed_pairs(X, Y))
    xp = namespace(x)
    x, y = (xp.astype(side, xp.result_type(x, y), copy=False) for side in (x, y))
    return x / check_learnt_temperature(temperature, x), y
