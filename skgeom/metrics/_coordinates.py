"""Single coordinates: their shares of the cosines and of the variance, and layers side by side."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np

from skgeom._array import in_full_precision, namespace, numbers, on_host, ratio
from skgeom._cloud import Cloud, rows_of, sum_of
from skgeom._core._rows import part_of_spread
from skgeom._core.sums import _angular, _spectrum
from skgeom._core.sums._moments import Moments, part_of_moments
from skgeom._frames import frame_of
from skgeom._typing import Array
from skgeom._validation import check_cloud, check_directed, check_flag, check_moments, check_squares
from skgeom._warnings import warn
from skgeom.metrics._measure import on_a_device


class LayerProfile(NamedTuple):
    """Result of `layer_profile`: NumPy arrays (n_layers,), one value per layer.

    Attributes
    ----------
    isoscore, participation_ratio, average_cosine : ndarray of shape (n_layers,)
        The measures with these names.
    cosine_share, variance_share : ndarray of shape (n_layers,)
        The largest share of a coordinate in the average cosine, and in the variance; the former is NaN if
        `cosine_shares` are.
    cosine_coordinate, variance_coordinate : ndarray of shape (n_layers,), int
        The coordinate with this share; -1 if the share is NaN.
    """

    isoscore: np.ndarray
    participation_ratio: np.ndarray
    average_cosine: np.ndarray
    cosine_share: np.ndarray
    cosine_coordinate: np.ndarray
    variance_share: np.ndarray
    variance_coordinate: np.ndarray

    def to_frame(self) -> Any:
        """Return the profile as a pandas frame, one row per layer.

        Returns
        -------
        pandas.DataFrame
            One column per attribute.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return frame_of(self._asdict())


@on_a_device
def cosine_shares(X: Any, *, relative: bool = True) -> Array:
    r"""Share of each coordinate in the average cosine, exact, without forming the pairs.

    A cosine is a sum over coordinates, and so is its mean over all pairs of different rows. With
    :math:`u_i = x_i / \lVert x_i \rVert`, coordinate k contributes

    .. math:: p_k = \frac{\bigl(\sum_i u_{ik}\bigr)^2 - \sum_i u_{ik}^2}{n(n - 1)}, \qquad
       \sum_k p_k = \text{average cosine},

    and its share is :math:`p_k / \sum_k p_k`. In many language models a few coordinates, rogue dimensions, account for
    most of it, and cosines hardly depend on the others.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        The embeddings, one per row, none of them zero.
    relative : bool, default=True
        Return the shares; False returns the parts p_k, which are always defined.

    Returns
    -------
    array of shape (n_features,), float64
        The shares, which sum to 1; one can be negative, or above 1. All NaN, with a warning, if the average cosine is
        not above two standard errors, as for centred rows or for two rows. Parts sum to the average cosine.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or a row is zero.

    Warns
    -----
    UserWarning
        If the shares are not defined.

    See Also
    --------
    variance_shares : Shares of the variance.
    average_cosine : The sum of the parts.

    Notes
    -----
    The standard error of the average cosine is over rows, :math:`2 \frac{n-1}{n-2} \operatorname{sd}(C_i) / \sqrt n`
    with the `conformity` :math:`C_i`. The factor 2 is there because a row can be either side of a pair.

    Invariant to the length of each row, not to rotation, since it describes coordinates. O(n d) time.

    References
    ----------
    Timkey & van Schijndel 2021, All bark and no bite: rogue dimensions in transformer language models obscure
    representational quality, arXiv:2109.04404.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import cosine_shares
    >>> X = np.random.default_rng(0).normal(size=(500, 4)) + [3, 0, 0, -1]
    >>> cosine_shares(X).round(2)
    array([0.9, 0. , 0. , 0.1])
    """
    check_flag(relative, "relative")
    rows = check_directed(X)
    parts = _angular.cosine_parts(rows)
    if not relative:
        return parts
    shares = _angular.shares_of(rows, parts)
    total, first = numbers([namespace(parts).sum(parts), shares[0]])
    if np.isnan(first):
        warn(
            f"The average cosine, {total:.3g}, is not above two standard errors, so the shares of the "
            "coordinates are not defined: all are NaN. Pass relative=False for the part of each coordinate."
        )
    return shares


@on_a_device
def variance_shares(X: Any) -> Array:
    r"""Share of each coordinate in the variance: :math:`C_{kk} / \operatorname{tr} C`.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), iterator of blocks of rows, CloudSummary or Dask array
        The embeddings, one per row.

    Returns
    -------
    array of shape (n_features,), float64
        In [0, 1], summing to 1; zeros if all rows are equal.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows.

    See Also
    --------
    variance_explained : Shares of the principal directions, which do not depend on the coordinates.
    coordinate_std : The standard deviations themselves.

    Notes
    -----
    Invariant to translation and uniform scaling, not to rotation. O(n d min(n, d)) time for the covariance, which other
    measures share.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import variance_shares
    >>> variance_shares(np.array([[3.0, 1.0], [-3.0, 1.0], [0.0, 2.0], [0.0, 0.0]]))
    array([0.9, 0.1])
    """
    return _variance_shares(check_moments(X))


@on_a_device
def coordinate_std(X: Any) -> Array:
    r"""Spread of each coordinate: its sample standard deviation.

    .. math:: \sigma_j = \sqrt{\frac{1}{n - 1} \sum_i (x_{ij} - \mu_j)^2}.

    In the embeddings of many models their distribution has a long tail: a few coordinates vary several times as much as
    the others, and dominate cosines and distances; some do not vary at all. A rotation of the space changes all of
    them.

    Parameters
    ----------
    X : array of shape (n_samples, n_features), iterator of blocks of rows, CloudSummary or Dask array
        The embeddings, one per row.

    Returns
    -------
    array of shape (n_features,), float64
        At least 0, and 0 for a coordinate that is equal in all rows.

    Raises
    ------
    ValueError
        If X is not a finite matrix of at least two rows, or has magnitudes whose squares leave the range of float64.

    See Also
    --------
    variance_explained : The same for principal directions instead of coordinates.
    average_cosine : Also depends on the mean of each coordinate.

    Notes
    -----
    Invariant to translation. O(n d) time in blocks of rows, in two passes, with float64 sums:
    ``numpy.std(X, axis=0, ddof=1)`` for float64 rows.

    References
    ----------
    Tyshchuk et al. 2023, On isotropy of multimodal embeddings, doi:10.3390/info14070392.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import coordinate_std
    >>> coordinate_std(np.array([[1.0, 5.0], [3.0, 5.0], [5.0, 5.0]]))
    array([2., 0.])
    """
    return sum_of(X, part_of_spread, _check_squares).deviations()


def _check_squares(X: Any, *, part: str = "") -> Array:
    x = check_cloud(X, part=part)
    check_squares(x, "X")
    return x


@in_full_precision
def layer_profile(layers: Any) -> LayerProfile:
    """Isotropy and rogue dimensions of each layer of a model, side by side.

    Parameters
    ----------
    layers : array of shape (n_layers, n_samples, n_features), or list of arrays (n_samples, n_features) The hidden
        states of each layer, one row per token or text. The layers of a list may differ in shape.

    Returns
    -------
    LayerProfile
        IsoScore, participation ratio and average cosine of each layer, and the coordinates with the largest shares in
        the average cosine and in the variance; `to_frame()` returns a table.

    Raises
    ------
    ValueError
        If `layers` is empty, or a layer is not a finite matrix of at least two rows or has a zero row.

    See Also
    --------
    isoscore, participation_ratio, average_cosine, cosine_shares, variance_shares : The measures.

    Notes
    -----
    O(n d min(n, d)) time per layer, for its covariance.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.metrics import layer_profile
    >>> layers = np.random.default_rng(0).normal(size=(3, 500, 8))
    >>> layers[1:, :, 5] += [[3], [9]]
    >>> profile = layer_profile(layers)
    >>> profile.average_cosine[1:].round(2), profile.cosine_coordinate, profile.cosine_share.round(2)
    (array([0.54, 0.92]), array([-1,  5,  5]), array([nan,  1.,  1.]))
    """
    ndim = getattr(layers, "ndim", None)
    if not (isinstance(layers, list | tuple) if ndim is None else ndim == 3):
        raise ValueError(
            "layers must be an array (n_layers, n_samples, n_features) or a list of arrays (n_samples, n_features): "
            "pass [X] for one layer."
        )
    clouds = layers if ndim is None else [layers[i, ...] for i in range(layers.shape[0])]
    profiles = [_profile(layer, f"layer {i}") for i, layer in enumerate(clouds)]
    if not profiles:
        raise ValueError("layers is empty: pass at least one array (n_samples, n_features).")
    return LayerProfile(*map(np.array, zip(*profiles, strict=True)))


def _profile(layer: Any, name: str) -> tuple[float | int, ...]:
    """Return the values of `LayerProfile` for one layer."""
    cloud = Cloud(rows_of(layer))
    m = cloud.sum(part_of_moments, partial(check_cloud, name=name, scale_free=True))
    rows = check_directed(cloud, name=name)
    parts = _angular.cosine_parts(rows)
    values = _spectrum.isoscore(m), _spectrum.participation_ratio(m), _angular.mean_cosine(rows)
    *found, cosine, variance = on_host(*values, _angular.shares_of(rows, parts), _variance_shares(m))
    return *map(float, found), *_largest(cosine), *_largest(variance)


def _largest(shares: np.ndarray) -> tuple[float, int]:
    """Return the largest share, and its coordinate."""
    k = int(shares.argmax())
    return float(shares[k]), -1 if np.isnan(shares[k]) else k


def _variance_shares(m: Moments) -> Array:
    variances = namespace(m.mean).clip(m.variances(), min=0.0)  # rounding can leave those of dead coordinates below 0
    return ratio(variances, namespace(variances).sum(variances))
