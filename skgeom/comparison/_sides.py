"""The input of the tests from each cloud: the mean and spread of its rows or groups, and a sample of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from skgeom._array import float64, namespace, numbers, take_rows, to_numpy
from skgeom._core._labels import labels_of
from skgeom._core.sums._clusters import class_moments
from skgeom._core.sums._moments import Moments, moments
from skgeom._typing import Array
from skgeom._validation import check_fourth_powers
from skgeom.summary import CloudSummary

FEWEST = 8
"""Rows, or groups of rows, of a cloud from which its second and third moments can be told."""

_EQUIDISTANT = 1e-12
"""Share of the squares of inner products below which they are rounding once they are doubly centred."""


class Side(NamedTuple):
    """A cloud for the tests: n independent rows or groups of rows.

    Attributes
    ----------
    moments : Moments
        Of the rows, or of the means of the groups.
    variance, deviation : float
        Mean over them of the squared distance to the mean of all, without the bias of few rows, and its deviation.
    about, within : ndarray
        Of a sample of them, the differences from the mean of the sample, and the mean squared distances of the rows of
        a group to its mean, 0 for a row.
    rows : ndarray
        A sample of the rows in random order, those of a group one after another.
    units : ndarray
        Number of the group of each of these rows, ascending from 0.
    """

    moments: Moments
    variance: float
    deviation: float
    about: np.ndarray
    within: np.ndarray
    rows: np.ndarray
    units: np.ndarray


def side_of(summary: CloudSummary, name: str, size: int) -> Side:
    """Return a summarised cloud with a number of rows of its sample, or raise if it cannot be tested."""
    m, n = summary.moments.second, summary.n_rows
    if n < FEWEST:
        raise ValueError(f"{name} has {n} rows, but at least {FEWEST} are needed to test it: merge more.")
    if len(summary.rows) < min(n, 2 * FEWEST):
        raise ValueError(
            f"The summary of {name} keeps {len(summary.rows)} rows, but at least {2 * FEWEST} are needed to test it: "
            "sum up with a larger max_rows."
        )
    quartic, *traces = numbers([summary.moments.quartic, *m.traces()]).tolist()
    check_geometry(n, quartic, traces, name)
    total = traces[0] * (n - 1)
    spread = max(quartic / n - (total / n) ** 2, 0.0) * n / (n - 1)
    rows = summary.rows[:size].astype(np.float64)
    about = rows - rows.mean(axis=0)
    return Side(m, total / (n - 1), spread**0.5 * n / (n - 1), about, np.zeros(len(rows)), rows, np.arange(len(rows)))


def grouped_side(x: Array, codes: np.ndarray, name: str, max_rows: int, rng: np.random.Generator) -> Side:
    """Return the cloud of checked rows in which each group counts once, or raise if it cannot be tested."""
    check_fourth_powers(x, name)
    n = int(codes.max()) + 1
    if n < FEWEST:
        raise ValueError(f"{name} has {n} groups, but at least {FEWEST} are needed to test it.")
    labels = labels_of(codes)
    classes = class_moments(x, labels)
    m = moments(classes.mean, exact=True)
    about = classes.mean - m.mean
    between = to_numpy(namespace(about).vecdot(about, about))
    check_geometry(n, float(between @ between), numbers(m.traces()).tolist(), name)
    within = to_numpy(classes.within) / labels.sizes
    squares = within + between
    variance = float(squares.mean() + between.sum() / (n * (n - 1)))
    drawn = rng.permutation(n)[: max(FEWEST, max_rows * n // x.shape[0])]
    starts = np.cumsum(labels.sizes) - labels.sizes
    of_group = [labels.order[starts[g] : starts[g] + labels.sizes[g]] for g in drawn]
    index = np.concatenate([rng.permutation(rows) for rows in of_group])
    units = np.repeat(np.arange(len(drawn)), labels.sizes[drawn])
    rows = to_numpy(float64(take_rows(x, index)))
    squares *= variance / squares.mean()
    sampled = to_numpy(take_rows(about, drawn))
    return Side(m, variance, float(np.std(squares, ddof=1)), sampled - sampled.mean(axis=0), within[drawn], rows, units)


def check_geometry(n: float, quartic: float, traces: Sequence[float], name: str) -> None:
    """Check that n rows differ, and not all by the same distance, by tr C and tr C² of their covariance C.

    Σ A_ij² of their doubly centred products A must be above 0.
    """
    total, squares = (value * (n - 1) ** power for power, value in enumerate(traces, start=1))
    if not total > 0:
        raise ValueError(f"All rows of {name} are equal: they have no geometry to compare.")
    rest = squares - quartic * n / (n - 2) + total**2 / ((n - 1) * (n - 2))
    if rest > _EQUIDISTANT * squares:
        return
    if quartic > total**2 / 2:
        raise ValueError(
            f"All rows of {name} but one are equal, or differ by rounding beside the distance of that one: they have "
            "no covariance to compare. Leave it out, or pass other rows."
        )
    raise ValueError(
        f"All rows of {name} are equally far from one another, so its covariance cannot be tested: pass other rows."
    )
