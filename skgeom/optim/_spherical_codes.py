"""Spherical codes: points as far from each other as possible, and bounds on the distance."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import Bunch, check_random_state

from skgeom._array import to_float
from skgeom._core._rows import DirectedRows, norms
from skgeom._core.pairs import _bounds
from skgeom._core.pairs._energies import min_angle, nearest_in_angle
from skgeom._validation import check_count
from skgeom.optim._polish import polish

_REACHED = 1 - 1e-9
"""Share of the bound from which a code counts as optimal, and no other start is made."""


def tammes_bound(n_points: int, n_dimensions: int) -> float:
    r"""Upper bound on the minimum angle between points on a sphere: no arrangement has a larger one.

    With n points in d dimensions, the bound is

    * :math:`2\pi/n` for d = 2; :math:`\arccos(-1/(n - 1))` for n ≤ d + 1 and :math:`\pi/2` for d + 1 < n ≤ 2d [1]_:
      all three are reached, by regular polygons, simplices, and subsets of cross-polytopes;
    * :math:`\arccos\frac{\cot^2 \omega_n - 1}{2}`, :math:`\omega_n = \frac{n}{n - 2} \frac{\pi}{6}`, for d = 3 [2]_,
      reached for n = 3, 4, 6 and 12;
    * the angle at which Levenshtein's bound on the size of a code [3]_ comes to n, for d > 3; reached by all codes that
      are designs sharp enough: 16 points in d = 5, 27 in 6, 56 in 7, 240 in 8, 196,560 in 24;
    * the optimum where a proof is known: d = 3 and n = 7 to 11, 13, 14 and 24; d = 4 and n = 10, 24 and 120. More
      points are bounded by these, too.

    Parameters
    ----------
    n_points : int
        Number n of points, at least 2.
    n_dimensions : int
        Dimension d of the space that holds the sphere, at least 1.

    Returns
    -------
    float
        In radians, in [0, π]; falls with n, grows with d.

    Raises
    ------
    TypeError
        If an argument is not an integer.
    ValueError
        If an argument is too small.

    See Also
    --------
    spherical_code : Points near the bound.
    skgeom.metrics.min_angle : The minimum angle of given rows.

    Notes
    -----
    For n = 24 in d = 3 the optimum is that of the snub cube, 43.6908 degrees, proved by Robinson in 1961. A figure of
    48.5353 degrees, which code for [4]_ draws as its target, exceeds even the bound of Fejes Tóth, 44.7150.

    References
    ----------
    .. [1] Rankin 1955, The closest packing of spherical caps in n dimensions, doi:10.1017/S2040618500033219.
    .. [2] Fejes Tóth 1943, Über eine Abschätzung des kürzesten Abstandes zweier Punkte eines auf einer Kugelfläche
        liegenden Punktsystems, Jahresbericht der DMV 53, 66-68.
    .. [3] Levenshtein 1992, Designs as maximum codes in polynomial metric spaces, Acta Applicandae
        Mathematicae 29, 1-82.
    .. [4] Tokarchuk et al. 2025, Keep your distance, arXiv:2502.08231.

    Examples
    --------
    >>> from math import degrees
    >>> from skgeom.optim import tammes_bound
    >>> [round(degrees(tammes_bound(n, 3)), 4) for n in (4, 12, 24, 100)]
    [109.4712, 63.4349, 43.6908, 21.8455]
    """
    return _bounds.tammes_bound(check_count(n_points, "n_points", 2), check_count(n_dimensions, "n_dimensions"))


def spherical_code(n_points: int, n_dimensions: int, *, n_init: int = 10, random_state: Any = None) -> Bunch:
    r"""Place points on a sphere so that the minimum angle between two of them is as large as possible.

    This is the problem of Tammes. From each random start, log Σ exp(p cos θ) is minimised, then the largest cosine
    itself by linear programs within a shrinking radius, up to rounding. Up to 130 degrees of freedom n(d - 1), that is
    done for several p, since each finds codes that the others miss; beyond, p grows step by step, and linear programs
    finish up to 250. The best code is returned.

    Parameters
    ----------
    n_points : int
        Number n of points, at least 2.
    n_dimensions : int
        Dimension d of the space that holds the sphere, at least 2.
    n_init : int, default=10
        Number of starts. One that reaches `tammes_bound` is the last.
    random_state : int, RandomState instance or None, default=None
        Seed of the starts.

    Returns
    -------
    Bunch
        ``points`` (n, d), unit rows in float64; ``min_angle``, their minimum angle in radians; ``bound``, that of
        `tammes_bound`; ``optimality``, the ratio of the two, 1 for a code that is proved to be optimal; ``angles``
        (n_starts,), the minimum angle of each start.

    Raises
    ------
    TypeError
        If an argument is not an integer.
    ValueError
        If an argument is too small.

    See Also
    --------
    SphereDispersion : Spreads given points, under a loss.

    Notes
    -----
    The bound is rarely reached where no proof is known: the best codes found so far have an optimality around .96. Ten
    starts with ``random_state=0`` reach all values of Sloane's table for d = 3 and n = 4 to 32 [2]_ to 1e-6 degrees but
    that of n = 29, which they miss by .006, and one start in 20 reaches; of n = 13 one start in about four does. In
    d = 4 and 5 they find the best codes known to us up to n = 32, or better ones, but for d = 4 and n = 28 and 29.

    A start takes .5 s for 14 points in d = 3, 2 s for 32 in d = 5 or 200 in d = 8, and half a minute for 500 points in
    64. O(n² d) time for each of some thousand steps; O(n d) memory beyond blocks, and O(n²) with linear programs.

    References
    ----------
    .. [1] Tammes 1930, On the origin of number and arrangement of the places of exit on the surface of pollen grains.
    .. [2] Sloane, Hardin & Smith, Tables of spherical codes, http://neilsloane.com/packings/.

    Examples
    --------
    >>> from math import degrees
    >>> from skgeom.optim import spherical_code
    >>> code = spherical_code(24, 3, random_state=0)
    >>> round(degrees(code.min_angle), 6), round(code.optimality, 9)
    (43.690767, 1.0)
    """
    n = check_count(n_points, "n_points", 2)
    d = check_count(n_dimensions, "n_dimensions", 2)
    rng = check_random_state(random_state)
    bound = _bounds.tammes_bound(n, d)
    angles: list[float] = []
    best = np.empty((0, d))
    for _ in range(check_count(n_init, "n_init")):
        points = polish(rng.standard_normal((n, d)))
        angles.append(least_angle(points))
        best = points if angles[-1] == max(angles) else best
        if angles[-1] >= _REACHED * bound:
            break
    angle = max(angles)
    return Bunch(points=best, min_angle=angle, bound=bound, optimality=angle / bound, angles=np.array(angles))


def least_angle(points: np.ndarray) -> float:
    """Return the minimum angle between two rows, in radians."""
    return to_float(min_angle(nearest_in_angle(DirectedRows(points, norms(points)))))
