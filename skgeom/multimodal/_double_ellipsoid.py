"""The double ellipsoid: two paired clouds, and whether they have its six properties."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Self, TypeAlias, get_args

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skgeom._array import namespace, to_float, to_numpy
from skgeom._core.sums import _ellipsoid
from skgeom._core.sums._angular import Resultant, conformity_to, unit_mean
from skgeom._core.sums._moments import FourthMoments, Moments, fourth_moments
from skgeom._core.sums._rank import with_precision
from skgeom._core.sums._spectrum import debiased_participation_ratio, participation_ratio
from skgeom._estimator import all_at_once
from skgeom._typing import Array
from skgeom._validation import (
    check_choice,
    check_count,
    check_directed,
    check_paired_clouds,
    check_positive,
    check_same_kind,
    check_spread,
)
from skgeom.multimodal._offset import shifted_losses

Side: TypeAlias = Literal["X", "Y"]
"""The fitted clouds."""

_SEPARATES = 3.29
"""Separation at which the best threshold on one Gaussian feature errs once in a hundred: Φ(-3.29/√2) = .01."""

_THIN = 0.15
"""Largest relative spread of the radii of a thin shell: 19 in 20 of normal radii are within 30 % of their mean."""

_ELONGATED = 0.5
"""Largest share of the dimensions that an ellipsoid uses evenly."""

_TILTED = 1.3
"""Least excess of the covariances of a tilted ellipsoid over those of as many rows of independent features."""

_OFF_CENTRE = 0.5
"""Least distance of the mean from the origin, in radii of the shell; the average cosine is then a fifth."""

_NEAR = 0.2
"""Largest shift, in units of the means, at which a minimum counts as one at the place where the clouds are.

One batch of 500 pairs tells the place of the minimum up to about 0.05."""

_RISE = 0.1
"""Least rise of the loss, in nats, where clouds are centred or their offset is doubled."""

_ALPHAS = np.linspace(-1, 1, 21)


class EllipsoidProperty(NamedTuple):
    """One property of a double ellipsoid.

    Attributes
    ----------
    name : str
        The property.
    holds : bool
        Whether the clouds have it: for what concerns one cloud, whether both have.
    statistics : dict
        Names and values of the numbers that decide; a pair of numbers is that of X and that of Y.
    criterion : str
        The rule, in words.
    """

    name: str
    holds: bool
    statistics: dict[str, Any]
    criterion: str


class EllipsoidProperties(tuple[EllipsoidProperty, ...]):
    """The properties in their order, readable in print and as a data frame."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(
            f"{'yes' if p.holds else 'no ':3} {p.name:22} "
            + ", ".join(f"{key} {_in_words(value)}" for key, value in p.statistics.items())
            for p in self
        )

    def to_frame(self) -> Any:
        """Return a pandas data frame with a row for each property."""
        import pandas as pd

        return pd.DataFrame(list(self)).set_index("name")


class DoubleEllipsoid(BaseEstimator):
    r"""Describe two paired clouds by the six properties of the double ellipsoid of CLIP.

    Embeddings of images and of texts lie on two thin ellipsoid shells, apart from each other and away from the origin.
    With m the mean, C the covariance and :math:`r = \lVert x - m \rVert` the radii of a cloud:

    ======================  =====================================================  ==================================
    property                statistic                                              holds if
    ======================  =====================================================  ==================================
    separating features     :math:`\max_l |m_l - m'_l| / \sqrt{C_{ll} + C'_{ll}}`  at least 3.29: one threshold on
                                                                                   this feature errs in 1 % (Gaussian)
    thin shell              std(r) / mean(r)                                       at most 0.15 in both clouds
    variance profile        share of dimensions, PR/d, without bias                at most 0.5 in both clouds
    off-diagonal dominance  mean over i of :math:`\sum_{j \ne i} |C_{ij}|/C_{ii}`  at least 1, and 1.3 times what
                                                                                   independent features show by chance,
                                                                                   in both clouds
    offset ratio            :math:`\lVert m \rVert / \sqrt{\mathrm{tr}\,C}`,       at least 0.5 in both clouds
                            without bias
    loss along the offset   :math:`\arg\min_\alpha` of `loss_along_offset`         within 0.2 of 0, and the loss rises
                                                                                   by 0.1 nats at least to α = -1 and 1
    ======================  =====================================================  ==================================

    The bounds are those of this library: the source describes the properties by figures. Each allows for what finite
    samples show by chance, so that an isotropic Gaussian pair has none of the properties but the thin shell, which all
    high-dimensional clouds have.

    Parameters
    ----------
    temperature : float, default=0.01
        That of the loss along the offset.
    batch_size : int, default=500
        Number of pairs that compete in that loss: see `loss_along_offset`.

    Attributes
    ----------
    properties_ : tuple of EllipsoidProperty
        The six, in the order above, each with `name`, `holds`, `statistics` (a dict) and `criterion` (in words). It
        prints as a table, and `properties_.to_frame()` is a pandas data frame.
    means_ : array of shape (2, n_features)
        The means m of X and of Y, in float64.
    unit_means_ : array of shape (2, n_features)
        The means of their unit rows, from which conformity follows.
    variances_ : array of shape (2, n_features)
        The variances of their features, the diagonal of C.
    separation_ : array of shape (n_features,)
        How well each feature separates the clouds: infinite if they are two constants, 0 if one.
    separating_features_ : ndarray of int
        Those of separation 3.29 at least, best first.
    shell_mean_squares_, shell_variances_ : tuple of two floats
        mean(r)² and var(r) (population) of X and of Y.
    participation_ratios_ : tuple of two floats
        PR = (tr C)² / tr C², as sampled.
    off_diagonal_dominances_ : tuple of two floats
        As above, as sampled. Features without variance are left out.
    offset_ratios_ : tuple of two floats
        ‖m‖ / √(tr C), as sampled.
    alphas_, losses_ : ndarray of shape (21,)
        The loss along the offset, from α = -1 to 1.
    loss_minimum_ : float
        Where it is smallest: the vertex of the parabola through the smallest of them and its neighbours.
    n_features_in_ : int
        Number of features.

    Raises
    ------
    TypeError
        If a parameter is not a number.
    ValueError
        If X or Y is not a finite matrix of at least four rows, a row is zero, rows do not come in pairs, a cloud has no
        spread, the two differ in width, library or device, or a parameter is out of range.

    See Also
    --------
    skgeom.datasets.make_double_ellipsoid : Clouds that have all six.
    modality_separability : Whether a plane separates, using all features.
    conformity_divergence : How far apart the conformities of the two are.

    Notes
    -----
    Meant for raw embeddings. Normalising the rows ties the radii to the cosines with the mean and thickens the shell.
    Separation and dominance belong to the coordinates; the other statistics are invariant to rotation, and all but the
    squared radii to a factor for both clouds. O(n d² + 21 n d batch_size) time, O(d²) memory.

    The unit rows of CLIP ViT-B/16 (500 images and captions of COCO) have all six: separation 7.7, relative spread .101
    and .117, share of dimensions .091 and .089, dominance 51 and 57 (20 and 19 by chance), offset ratios 1.07 and 1.03,
    minimum at α = -.03. With random weights the same network has a thick shell and no minimum. Independent isotropic
    Gaussian clouds have a thin shell (from about 25 dimensions) and nothing else.

    References
    ----------
    Levi & Gilboa 2025, The double-ellipsoid geometry of CLIP, arXiv:2411.14517.

    Examples
    --------
    >>> from skgeom.datasets import make_double_ellipsoid
    >>> from skgeom.multimodal import DoubleEllipsoid
    >>> X, Y = make_double_ellipsoid(2000, random_state=0)
    >>> ellipsoids = DoubleEllipsoid().fit(X, Y)
    >>> all(p.holds for p in ellipsoids.properties_)
    True
    >>> [round(ratio, 2) for ratio in ellipsoids.offset_ratios_]
    [0.94, 1.03]
    """

    def __init__(self, *, temperature: float = 0.01, batch_size: int = 500) -> None:
        self.temperature = temperature
        self.batch_size = batch_size

    @all_at_once
    def fit(self, X: Any, Y: Any) -> Self:
        """Describe two paired clouds.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Embeddings of one modality.
        Y : array of shape (n_samples, n_features)
            Embeddings of the other: row i belongs to row i of X.

        Returns
        -------
        self
            The fitted description.
        """
        temperature = check_positive(self.temperature, "temperature")
        batch_size = check_count(self.batch_size, "batch_size", 2)
        clouds = check_paired_clouds(X, Y, min_samples=4)
        rows = [check_directed(x, name=name) for x, name in zip(clouds, "XY", strict=True)]
        fourths = [fourth_moments(x) for x in clouds]
        sums = [with_precision(m.second, x) for m, x in zip(fourths, clouds, strict=True)]
        for m, name in zip(sums, "XY", strict=True):
            check_spread(to_float(m.total_variance()), name)
        xp = namespace(clouds[0])
        self.n_features_in_ = clouds[0].shape[1]
        self.means_ = xp.stack([m.mean for m in sums])
        self.unit_means_ = xp.stack([unit_mean(r) for r in rows])
        self.variances_ = xp.stack([m.variances() for m in sums])
        self.alphas_ = _ALPHAS.copy()
        self.losses_ = shifted_losses(*clouds, self.alphas_, temperature, batch_size)
        self.properties_ = EllipsoidProperties(
            [
                self._separating_features(sums),
                self._thin_shell(clouds, sums),
                self._variance_profile(fourths),
                self._off_diagonal_dominance(sums),
                self._offset_ratio(sums),
                self._loss_along_offset(),
            ]
        )
        return self

    def score_samples(self, X: Any, *, cloud: Side = "X") -> Array:
        """Return the conformity of each row: its mean cosine to the rows of a fitted cloud.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Embeddings of the same space, none of them zero.
        cloud : {"X", "Y"}, default="X"
            The fitted cloud to conform to. A row of that cloud counts among those that it is compared with.

        Returns
        -------
        array of shape (n_samples,)
            Mean cosines, in [-1, 1], in the dtype of X.
        """
        check_is_fitted(self)
        mean = self.unit_means_[get_args(Side).index(check_choice(cloud, get_args(Side), "cloud")), :]
        rows = check_directed(X, min_samples=1)
        check_same_kind(rows.x, mean[None, :], ("X", "the fitted clouds"))
        return namespace(mean).astype(conformity_to(rows, Resultant(1, mean)), rows.x.dtype)

    def _separating_features(self, sums: list[Moments]) -> EllipsoidProperty:
        self.separation_ = _ellipsoid.separation(*sums)
        separation = to_numpy(self.separation_)
        order = np.argsort(-separation, kind="stable")
        self.separating_features_ = order[separation[order] >= _SEPARATES]
        return EllipsoidProperty(
            "separating features",
            self.separating_features_.size > 0,
            {
                "largest separation": float(separation[order[0]]),
                "of feature": int(order[0]),
                "number": int(self.separating_features_.size),
            },
            f"at least one feature separates the clouds: |m - m'| / √(v + v') >= {_SEPARATES}",
        )

    def _thin_shell(self, clouds: tuple[Array, Array], sums: list[Moments]) -> EllipsoidProperty:
        shells = [_ellipsoid.shell(_ellipsoid.radii(x, m.mean)) for x, m in zip(clouds, sums, strict=True)]
        self.shell_mean_squares_, self.shell_variances_, relative = map(_pair, zip(*shells, strict=True))
        return EllipsoidProperty(
            "thin shell",
            max(relative) <= _THIN,
            {"mean²": self.shell_mean_squares_, "variance": self.shell_variances_, "relative spread": relative},
            f"the distances to the mean vary little in both clouds: std / mean <= {_THIN}",
        )

    def _variance_profile(self, fourths: list[FourthMoments]) -> EllipsoidProperty:
        shares = [debiased_participation_ratio(m) / self.n_features_in_ for m in fourths]
        self.participation_ratios_ = _pair(participation_ratio(m.second) for m in fourths)
        return EllipsoidProperty(
            "variance profile",
            max(map(to_float, shares)) <= _ELONGATED,
            {"share of dimensions": _pair(shares), "participation ratio": self.participation_ratios_},
            f"both clouds use only a part of the dimensions: PR / d, without bias, <= {_ELONGATED}",
        )

    def _off_diagonal_dominance(self, sums: list[Moments]) -> EllipsoidProperty:
        self.off_diagonal_dominances_ = found = _pair(map(_ellipsoid.off_diagonal_dominance, sums))
        chance = _pair(map(_ellipsoid.chance_dominance, sums))
        return EllipsoidProperty(
            "off-diagonal dominance",
            all(f >= max(1.0, _TILTED * c) for f, c in zip(found, chance, strict=True)),
            {"dominance": found, "by chance": chance},
            f"in both clouds Σ|C_ij| / C_ii is >= 1 on average, and >= {_TILTED} times that of independent features",
        )

    def _offset_ratio(self, sums: list[Moments]) -> EllipsoidProperty:
        self.offset_ratios_ = _pair(map(_ellipsoid.offset_ratio, sums))
        unbiased = _pair(map(_ellipsoid.unbiased_offset_ratio, sums))
        return EllipsoidProperty(
            "offset ratio",
            min(unbiased) >= _OFF_CENTRE,
            {"offset ratio": self.offset_ratios_},
            f"both means are away from the origin: ‖m‖ / √(tr C), without bias, >= {_OFF_CENTRE}",
        )

    def _loss_along_offset(self) -> EllipsoidProperty:
        self.loss_minimum_ = _ellipsoid.vertex(self.alphas_, self.losses_)
        doubled, here, centred = self.losses_[[0, self.losses_.size // 2, -1]].tolist()
        return EllipsoidProperty(
            "loss along the offset",
            abs(self.loss_minimum_) <= _NEAR and min(doubled, centred) >= here + _RISE,
            {"minimum at": self.loss_minimum_, "loss": here, "centred": centred, "doubled": doubled},
            f"the loss is smallest within {_NEAR} of where the clouds are, and rises by {_RISE} to α = -1 and 1",
        )


def _pair(values: Any) -> tuple[float, float]:
    first, second = map(to_float, values)
    return first, second


def _in_words(value: Any) -> str:
    return " and ".join(map(_in_words, value)) if isinstance(value, tuple) else f"{value:.4g}"
