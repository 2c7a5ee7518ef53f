"""The double ellipsoid: two paired clouds, and whether they have its six properties."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from skgeom._array import detached, in_full_precision, namespace, numbers, place, to_float, to_numpy
from skgeom._core.sums import _ellipsoid
from skgeom._core.sums._angular import Resultant, conformity_to, unit_mean
from skgeom._core.sums._moments import FourthMoments, Moments, fourth_moments
from skgeom._core.sums._rank import with_precision
from skgeom._core.sums._spectrum import debiased_participation_ratio, participation_ratio
from skgeom._frames import frame_of
from skgeom._typing import Array
from skgeom._validation import (
    check_choice,
    check_count,
    check_device,
    check_directed,
    check_fourth_powers,
    check_host,
    check_paired_clouds,
    check_same_kind,
    check_spread,
    check_temperature,
)
from skgeom.multimodal._offset import shifted_losses

Side: TypeAlias = Literal["X", "Y"]
"""The two clouds."""

Pair: TypeAlias = tuple[float, float]
"""A number of X, and that of Y."""

_SEPARATES = 3.29
"""Separation at which the best threshold on one Gaussian feature errs once in a hundred: Φ(-3.29/√2) = .01."""

_THIN = 0.15
"""Largest relative spread of the radii of a thin shell: 19 in 20 of normal radii are within 30 % of their mean."""

_ELONGATED = 0.5
"""Largest share of the dimensions that an ellipsoid uses evenly."""

_TILTED = 1.3
"""Smallest excess of the covariances of a tilted ellipsoid over those of as many rows of independent features."""

_OFF_CENTRE = 0.5
"""Smallest distance of the mean from the origin, in radii of the shell; the average cosine is then a fifth."""

_NEAR = 0.2
"""Largest shift, in units of the means, at which a minimum counts as one at the place where the clouds are.

One batch of 500 pairs shows the place of the minimum up to about 0.05."""

_RISE = 0.1
"""Smallest rise of the loss, in nats, where clouds are centred or their offset is doubled."""


_ARRAYS = ("means", "unit_means", "variances", "separation")
"""What a `DoubleEllipsoid` holds where the rows are."""


class EllipsoidProperty(NamedTuple):
    """One property of a double ellipsoid.

    Attributes
    ----------
    name : str
        The property.
    holds : bool
        Whether the clouds have it; a property of one cloud must hold for both.
    statistics : dict
        The statistics by name; a pair has the values of X and of Y.
    criterion : str
        The rule, in words.
    """

    name: str
    holds: bool
    statistics: dict[str, Any]
    criterion: str


class EllipsoidProperties(tuple[EllipsoidProperty, ...]):
    """The properties in their order, as a printed table and as a data frame."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "\n".join(
            f"{'yes' if p.holds else 'no ':3} {p.name:22} "
            + ", ".join(f"{key} {_in_words(value)}" for key, value in p.statistics.items())
            for p in self
        )

    def to_frame(self) -> Any:
        """Return a pandas data frame with a row for each property."""
        return frame_of([p._asdict() for p in self]).set_index("name")


@dataclass(frozen=True, eq=False, repr=False)
class DoubleEllipsoid:
    """Two paired clouds as a double ellipsoid, as returned by `double_ellipsoid`. It prints as the table of properties.

    Attributes
    ----------
    properties : tuple of EllipsoidProperty
        The six, in the order above, each with `name`, `holds`, `statistics` (a dict) and `criterion` (in words). It
        prints as a table, and `properties.to_frame()` is a pandas data frame.
    means : array of shape (2, n_features)
        The means m of X and of Y, in float64.
    unit_means : array of shape (2, n_features)
        The means of their unit rows, which determine conformity.
    variances : array of shape (2, n_features)
        The variances of their features, the diagonal of C.
    separation : array of shape (n_features,)
        Separation of the clouds by each feature: infinite if it is constant in both with different values, 0 if with
        the same.
    separating_features : ndarray of int
        The features with a separation of at least 3.29, best first.
    shell_mean_squares, shell_variances : tuple of two floats
        mean(r)² and var(r) (population) of X and of Y.
    participation_ratios : tuple of two floats
        PR = (tr C)² / tr C², as sampled.
    off_diagonal_dominances : tuple of two floats
        As above, as sampled. Features without variance are left out.
    offset_ratios : tuple of two floats
        ‖m‖ / √(tr C), as sampled.
    alphas, losses : ndarray of shape (21,)
        The loss along the offset, from α = -1 to 1.
    loss_minimum : float
        Position of the minimum: the vertex of the parabola through the smallest loss and its neighbours.
    n_features_in : int
        Number of features.
    """

    properties: EllipsoidProperties
    means: Array
    unit_means: Array
    variances: Array
    separation: Array
    separating_features: np.ndarray
    shell_mean_squares: Pair
    shell_variances: Pair
    participation_ratios: Pair
    off_diagonal_dominances: Pair
    offset_ratios: Pair
    alphas: np.ndarray
    losses: np.ndarray
    loss_minimum: float

    def __repr__(self) -> str:
        return repr(self.properties)

    @in_full_precision
    def score_samples(self, X: Any, *, cloud: Side = "X") -> Array:
        """Return the conformity of each row: its mean cosine to the rows of one of the clouds.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Embeddings of the same space, none of them zero.
        cloud : {"X", "Y"}, default="X"
            The cloud to conform to. A row of that cloud is also compared with itself.

        Returns
        -------
        array of shape (n_samples,)
            Mean cosines, in [-1, 1], in the dtype of X.
        """
        mean = self.unit_means[get_args(Side).index(check_choice(cloud, get_args(Side), "cloud")), :]
        rows = check_directed(X, min_samples=1)
        check_same_kind(rows.x, mean[None, :], ("X", "the cloud"))
        return namespace(mean).astype(conformity_to(rows, Resultant(1, mean)), rows.x.dtype)


@in_full_precision
def double_ellipsoid(
    X: Any, Y: Any, *, temperature: float = 0.01, batch_size: int = 500, device: str | None = None
) -> DoubleEllipsoid:
    r"""Describe two paired clouds by the six properties of the double ellipsoid of CLIP.

    Embeddings of images and of texts form two thin ellipsoid shells, apart from each other and away from the origin.
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

    The bounds are those of this library: the source describes the properties by figures. Each allows for chance in
    finite samples, so an isotropic Gaussian pair has none of the properties except the thin shell, which all
    high-dimensional clouds have.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Embeddings of one modality.
    Y : array of shape (n_samples, n_features)
        Embeddings of the other: row i belongs to row i of X.
    temperature : float, default=0.01
        Temperature of the loss along the offset.
    batch_size : int, default=500
        Number of pairs that compete in that loss: see `loss_along_offset`.
    device : {None, "cpu", "cuda", "cuda:<index>", "auto"}, default=None
        Where host data are computed; all arrays come back as NumPy. None stays where X and Y are.

    Returns
    -------
    DoubleEllipsoid
        The six properties, in the order above, and their statistics.

    Raises
    ------
    TypeError
        If a parameter is not a number.
    ValueError
        If X or Y is not a finite matrix of at least four rows, a row is zero, rows do not come in pairs, a cloud has no
        spread or has magnitudes whose fourth powers leave the range of float64, the two differ in width, library or
        device, or a parameter is out of range.

    See Also
    --------
    skgeom.datasets.make_double_ellipsoid : Clouds that have all six.
    modality_separability : Whether a plane separates, using all features.
    conformity_divergence : The distance between the conformities of the two.

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
    >>> from skgeom.multimodal import double_ellipsoid
    >>> X, Y = make_double_ellipsoid(2000, random_state=0)
    >>> ellipsoids = double_ellipsoid(X, Y)
    >>> all(p.holds for p in ellipsoids.properties)
    True
    >>> [round(ratio, 2) for ratio in ellipsoids.offset_ratios]
    [0.94, 1.03]
    """
    check_temperature(temperature)
    size = check_count(batch_size, "batch_size", 2)
    check_device(device)
    clouds = check_paired_clouds(detached(X), detached(Y), min_samples=4)
    if device is None:
        return _described(clouds, float(temperature), size)
    for given in (X, Y):
        check_host(given, device)
    x, y = clouds
    found = _described((place(x, device), place(y, device)), float(temperature), size)
    arrays: dict[str, Any] = {name: to_numpy(getattr(found, name)) for name in _ARRAYS}
    return replace(found, **arrays)


@in_full_precision
def _described(clouds: tuple[Array, Array], temperature: float, size: int) -> DoubleEllipsoid:
    """Return the result of `double_ellipsoid`, on the device of the rows."""
    rows = [check_directed(x, name=name) for x, name in zip(clouds, "XY", strict=True)]
    for x, name in zip(clouds, "XY", strict=True):
        check_fourth_powers(x, name)
    fourths = [fourth_moments(x) for x in clouds]
    sums = [with_precision(m.second, x) for m, x in zip(fourths, clouds, strict=True)]
    for m, name in zip(sums, "XY", strict=True):
        check_spread(to_float(m.total_variance()), name)
    xp = namespace(clouds[0])
    separation = _ellipsoid.separation(*sums)
    shells = [_ellipsoid.shell(_ellipsoid.radii(x, m.mean)) for x, m in zip(clouds, sums, strict=True)]
    mean_squares, shell_variances, relative_spreads = map(_pair, zip(*shells, strict=True))
    ratios = _pair(participation_ratio(m.second) for m in fourths)
    dominances = _pair(map(_ellipsoid.off_diagonal_dominance, sums))
    offset_ratios = _pair(map(_ellipsoid.offset_ratio, sums))
    alphas = np.linspace(-1, 1, 21)
    losses = shifted_losses(*clouds, alphas, temperature, size)
    return DoubleEllipsoid(
        properties=EllipsoidProperties(
            [
                _separating_features(separation),
                _thin_shell(mean_squares, shell_variances, relative_spreads),
                _variance_profile(fourths, ratios),
                _off_diagonal_dominance(sums, dominances),
                _offset_ratio(sums, offset_ratios),
                _loss_along_offset(alphas, losses),
            ]
        ),
        means=xp.stack([m.mean for m in sums]),
        unit_means=xp.stack([unit_mean(r) for r in rows]),
        variances=xp.stack([m.variances() for m in sums]),
        separation=separation,
        separating_features=_best_first(separation),
        shell_mean_squares=mean_squares,
        shell_variances=shell_variances,
        participation_ratios=ratios,
        off_diagonal_dominances=dominances,
        offset_ratios=offset_ratios,
        alphas=alphas,
        losses=losses,
        loss_minimum=_ellipsoid.vertex(alphas, losses),
    )


def _best_first(separation: Array) -> np.ndarray:
    """Return the features that separate, best first."""
    values = to_numpy(separation)
    order = np.argsort(-values, kind="stable")
    return order[values[order] >= _SEPARATES]


def _separating_features(separation: Array) -> EllipsoidProperty:
    values = to_numpy(separation)
    number = int(np.count_nonzero(values >= _SEPARATES))
    return EllipsoidProperty(
        "separating features",
        number > 0,
        {"largest separation": float(values.max()), "of feature": int(values.argmax()), "number": number},
        f"at least one feature separates the clouds: |m - m'| / √(v + v') >= {_SEPARATES}",
    )


def _thin_shell(mean_squares: Pair, variances: Pair, relative_spreads: Pair) -> EllipsoidProperty:
    return EllipsoidProperty(
        "thin shell",
        max(relative_spreads) <= _THIN,
        {"mean²": mean_squares, "variance": variances, "relative spread": relative_spreads},
        f"the distances to the mean vary little in both clouds: std / mean <= {_THIN}",
    )


def _variance_profile(fourths: list[FourthMoments], ratios: Pair) -> EllipsoidProperty:
    shares = _pair(debiased_participation_ratio(m) / m.second.mean.shape[0] for m in fourths)
    return EllipsoidProperty(
        "variance profile",
        max(shares) <= _ELONGATED,
        {"share of dimensions": shares, "participation ratio": ratios},
        f"both clouds use only a part of the dimensions: PR / d, without bias, <= {_ELONGATED}",
    )


def _off_diagonal_dominance(sums: list[Moments], dominances: Pair) -> EllipsoidProperty:
    chance = _pair(map(_ellipsoid.chance_dominance, sums))
    return EllipsoidProperty(
        "off-diagonal dominance",
        all(found >= max(1.0, _TILTED * c) for found, c in zip(dominances, chance, strict=True)),
        {"dominance": dominances, "by chance": chance},
        f"in both clouds Σ|C_ij| / C_ii is >= 1 on average, and >= {_TILTED} times that of independent features",
    )


def _offset_ratio(sums: list[Moments], ratios: Pair) -> EllipsoidProperty:
    return EllipsoidProperty(
        "offset ratio",
        min(_pair(map(_ellipsoid.unbiased_offset_ratio, sums))) >= _OFF_CENTRE,
        {"offset ratio": ratios},
        f"both means are away from the origin: ‖m‖ / √(tr C), without bias, >= {_OFF_CENTRE}",
    )


def _loss_along_offset(alphas: np.ndarray, losses: np.ndarray) -> EllipsoidProperty:
    minimum = _ellipsoid.vertex(alphas, losses)
    doubled, here, centred = losses[[0, losses.size // 2, -1]].tolist()
    return EllipsoidProperty(
        "loss along the offset",
        abs(minimum) <= _NEAR and min(doubled, centred) >= here + _RISE,
        {"minimum at": minimum, "loss": here, "centred": centred, "doubled": doubled},
        f"the loss is smallest within {_NEAR} of where the clouds are, and rises by {_RISE} to α = -1 and 1",
    )


def _pair(values: Iterable[Any]) -> Pair:
    first, second = numbers(list(values)).tolist()
    return first, second


def _in_words(value: Any) -> str:
    return " and ".join(map(_in_words, value)) if isinstance(value, tuple) else f"{value:.4g}"
