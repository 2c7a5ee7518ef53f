"""Paired clouds whose relation is known before they are drawn."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.stats import ortho_group
from sklearn.utils import Bunch, check_random_state

from skgeom._validation import check_count, check_real
from skgeom.datasets._synthetic import power_law

_N_FEATURES = 512
_RADIUS = sqrt(57.57)
_RADIUS_VARIANCE = 0.19
_OFFSET_RATIOS = (0.94, 1.03)
_COSINE_OF_MEANS = 0.31
_PARTICIPATION_RATIO = 152.0
_TAGS = np.array([92, 133, 20, 61, 180, 241, 300, 381, 450])
"""Features that separate the modalities, counted from 0: the 93rd and the 134th are the two of the source."""

_TAG_WEIGHTS = np.array([3.2, 2.6, *np.linspace(1.2, 0.7, 7)])
_TAG_SHRINKAGE = 0.35
_SPREAD_ALONG_MEAN = 0.17
_ALIGNMENT = (0.3, -0.085, 0.03)
"""Mean alignment of pairs, its change with commonness, and its other spread."""


def make_double_ellipsoid(
    n_samples: int = 5000, *, random_state: Any = None, return_truth: bool = False
) -> tuple[Any, ...]:
    r"""Draw two paired clouds of 512 features with the geometry published for the raw embeddings of CLIP.

    Each modality k is a thin shell around an off-centre mean, :math:`x = M_k u_k + e`:

    * radii :math:`\lVert e \rVert \sim N(\sqrt{57.57}, 0.19)`, of which the square root of the mean square is T;
    * offsets :math:`M_k = 0.94\,T` and :math:`1.03\,T`; directions :math:`u_k = c\,s \pm \sqrt{1 - c^2}\,g` of cosine
      .31, with s shared and g on nine features, of which the 93rd and the 134th separate the modalities best;
    * e is Gaussian with a shared, randomly turned spectrum :math:`\lambda_j \propto (j + 8)^{-p}` of participation
      ratio 152; the nine features have .35 of their spread;
    * pairs share a latent vector: :math:`e \propto Q \Lambda^{1/2} (\sqrt a\, z + \sqrt{1 - a}\, z_k)`;
    * along its mean each cloud spreads by .17 M, half of that variance shared: the commonness h of the pair, which
      makes a row conform;
    * common pairs are less aligned, as if they had more false negatives: :math:`a = .3 - .085\,h + .03\,\epsilon`.

    The last item puts the minimum of the contrastive loss at the offset: with equal alignment it lies at α = .5.

    Parameters
    ----------
    n_samples : int, default=5000
        Number of pairs, at least 2.
    random_state : int, RandomState instance or None, default=None
        Seed of the directions and of the rows.
    return_truth : bool, default=False
        Return the planted quantities, too.

    Returns
    -------
    X : ndarray of shape (n_samples, 512), float64
        The first modality ("images").
    Y : ndarray of shape (n_samples, 512), float64
        The second ("texts"): row i belongs to row i of X.
    truth : Bunch
        Only with `return_truth`. ``means`` (2, 512), those of the clouds, exactly; ``offset_ratios`` (2,); ``tags``
        (9,), the separating features from 0; ``spectrum`` (512,), in descending order, with the sum T²; ``commonness``
        (n_samples,), h; ``alignment`` (n_samples,), a.

    Raises
    ------
    TypeError
        If `n_samples` is not an integer.
    ValueError
        If it is less than 2.

    See Also
    --------
    skgeom.multimodal.double_ellipsoid : Measures the planted properties.
    make_embedding_pair : Two clouds related by a rotation.

    Notes
    -----
    At 5,000 pairs (published): squared mean radius 57.5 and variance .19 (57.57, .19); offset ratios .94 and 1.03 (the
    same); cosine to the mean on conformity, slope 1.46 and 1.40 (1.461, 1.411), r > .99999; gap .82; linear
    separability 1; minimum of the loss in batches of 128, 500 and 2,000 pairs at α = -.03, -.01 and .01 (0), up to .02
    between seeds.

    Impossible together: Gaussian KL of the conformities .14, as on real CLIP, with these offset ratios, whose
    mean conformities differ by .046 (here .55); low conformity with large norms.

    References
    ----------
    Levi & Gilboa 2025, The double-ellipsoid geometry of CLIP, arXiv:2411.14517.

    Examples
    --------
    >>> from skgeom.datasets import make_double_ellipsoid
    >>> from skgeom.metrics import modality_gap
    >>> X, Y = make_double_ellipsoid(1000, random_state=0)
    >>> X.shape, round(modality_gap(X, Y), 2)
    ((1000, 512), 0.82)
    """
    n = check_count(n_samples, "n_samples", 2)
    rng = check_random_state(random_state)
    size = sqrt(_RADIUS**2 + _RADIUS_VARIANCE)
    spectrum = size**2 * _long_tail(_PARTICIPATION_RATIO, _N_FEATURES)
    axes = np.sqrt(spectrum)[:, None] * ortho_group.rvs(_N_FEATURES, random_state=rng).T
    axes[:, _TAGS] *= _TAG_SHRINKAGE
    directions = _opposed_directions(rng)

    commonness, latent = rng.standard_normal(n), rng.standard_normal((n, _N_FEATURES))
    level, slope, noise = _ALIGNMENT
    alignment = np.clip(level + slope * commonness + noise * rng.standard_normal(n), 0, 1)
    means = size * np.array(_OFFSET_RATIOS)[:, None] * directions
    clouds = [mean + _shell(rng, mean, latent, alignment, commonness, axes) for mean in means]
    if not return_truth:
        return clouds[0], clouds[1]
    truth = Bunch(
        means=means,
        offset_ratios=np.array(_OFFSET_RATIOS),
        tags=_TAGS.copy(),
        spectrum=spectrum,
        commonness=commonness,
        alignment=alignment,
    )
    return clouds[0], clouds[1], truth


def make_embedding_pair(
    n_samples: int = 1000,
    n_features: int = 64,
    *,
    n_targets: int | None = None,
    scale: float = 1.0,
    offset: float = 0.0,
    noise: float = 0.1,
    slope: float = 1.0,
    random_state: Any = None,
    return_truth: bool = False,
) -> tuple[Any, ...]:
    r"""Draw embeddings and their image under a known rotation, scaling and shift, with noise.

    .. math:: x \sim N(0, \Lambda), \qquad y = s\,x R + b + \nu\,\epsilon,

    with R (d, k) uniformly random: orthogonal for k = d, orthonormal columns for k < d and orthonormal rows for k > d.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of pairs, at least 2.
    n_features : int, default=64
        Dimension d of the first space.
    n_targets : int, default=None
        Dimension k of the second; None for d.
    scale : float, default=1.0
        s, at least 0.
    offset : float, default=0.0
        Length of b, in root mean square lengths of x, at least 0.
    noise : float, default=0.1
        Root mean square length of the noise over that of s x R, at least 0, as the population has it; with s = 0, over
        that of x.
    slope : float, default=1.0
        Exponent of the spectrum, :math:`\lambda_j \propto j^{-\text{slope}}` with tr Λ = d, at least 0. 0 is isotropic.
    random_state : int, RandomState instance or None, default=None
        Seed of the map and of the rows.
    return_truth : bool, default=False
        Return the planted quantities, too.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features), float64
        The embeddings.
    Y : ndarray of shape (n_samples, n_targets), float64
        Their noisy images: row i belongs to row i of X.
    truth : Bunch
        Only with `return_truth`. ``rotation`` (d, k), R; ``scale``, s; ``offset`` (k,), b; ``noise``, ν, the standard
        deviation of the noise of each target; ``spectrum`` (d,), the variances of X; ``r2``, the share of the variance
        of y that x explains in the population.

    Raises
    ------
    TypeError
        If a count is not an integer, or another parameter is not a number.
    ValueError
        If a parameter is out of its range.

    See Also
    --------
    make_double_ellipsoid : Two clouds with the geometry of CLIP.

    Notes
    -----
    The axes of X are those of the coordinates: its spectrum, not its directions, decides how well few pairs
    determine R. R may reflect.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.datasets import make_embedding_pair
    >>> X, Y, truth = make_embedding_pair(500, 8, noise=0.0, random_state=0, return_truth=True)
    >>> bool(np.allclose(X @ truth.rotation, Y))
    True
    """
    n = check_count(n_samples, "n_samples", 2)
    d = check_count(n_features, "n_features")
    k = d if n_targets is None else check_count(n_targets, "n_targets")
    scale, offset = check_real(scale, "scale", 0), check_real(offset, "offset", 0)
    noise, slope = check_real(noise, "noise", 0), check_real(slope, "slope", 0)
    rng = check_random_state(random_state)

    spectrum = power_law(np.arange(1.0, d + 1), slope)
    rotation = _semi_orthogonal(rng, d, k)
    axis = rng.standard_normal(k)
    shift = offset * sqrt(d) * axis / np.linalg.norm(axis)
    signal = scale**2 * (spectrum @ rotation**2).sum()
    deviation = noise * sqrt((signal if scale else d) / k)
    X = rng.standard_normal((n, d)) * np.sqrt(spectrum)
    Y = scale * X @ rotation + shift + deviation * rng.standard_normal((n, k))
    if not return_truth:
        return X, Y
    total = signal + k * deviation**2
    truth = Bunch(
        rotation=rotation,
        scale=scale,
        offset=shift,
        noise=deviation,
        spectrum=spectrum,
        r2=signal / total if total else 0.0,
    )
    return X, Y, truth


def _long_tail(participation_ratio: float, d: int) -> np.ndarray:
    """Return d variances in proportion to (j + 8)^-p that sum to 1, with a given participation ratio."""
    ranks = np.arange(d) + 8.0
    slope = brentq(lambda p: d**2 / (power_law(ranks, p) ** 2).sum() - participation_ratio, 0.0, 8.0, xtol=1e-15)
    return power_law(ranks, slope) / d


def _semi_orthogonal(rng: np.random.RandomState, d: int, k: int) -> np.ndarray:
    """Return uniformly random orthonormal columns or rows (d, k)."""
    if max(d, k) == 1:
        return np.array([[rng.choice([-1.0, 1.0])]])
    return ortho_group.rvs(max(d, k), random_state=rng)[:d, :k]


def _opposed_directions(rng: np.random.RandomState) -> np.ndarray:
    """Return the directions of the two means (2, d): they share one part, and the tags have opposite signs."""
    shared, opposed = rng.standard_normal(_N_FEATURES), np.zeros(_N_FEATURES)
    shared[_TAGS] = 0
    opposed[_TAGS] = _TAG_WEIGHTS
    shared, opposed = shared / np.linalg.norm(shared), opposed / np.linalg.norm(opposed)
    cosine = sqrt((1 + _COSINE_OF_MEANS) / 2)
    return cosine * shared + sqrt(1 - cosine**2) * np.array([[1.0], [-1.0]]) * opposed


def _shell(
    rng: np.random.RandomState,
    mean: np.ndarray,
    latent: np.ndarray,
    alignment: np.ndarray,
    commonness: np.ndarray,
    axes: np.ndarray,
) -> np.ndarray:
    """Return the deviations of the rows of one modality from its mean; they sum to 0."""
    n = latent.shape[0]
    length = np.linalg.norm(mean)
    direction = mean / length
    own = rng.standard_normal(latent.shape)
    e = (np.sqrt(alignment)[:, None] * latent + np.sqrt(1 - alignment)[:, None] * own) @ axes
    along = _SPREAD_ALONG_MEAN * length * (commonness + rng.standard_normal(n)) / sqrt(2)
    e += np.outer(along - e @ direction, direction)
    radii = _RADIUS + sqrt(_RADIUS_VARIANCE) * rng.standard_normal(n)
    e *= (radii / np.linalg.norm(e, axis=1))[:, None]
    return e - e.mean(axis=0)
