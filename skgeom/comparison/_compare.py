"""Several representations of the same rows, compared pair by pair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from skgeom._array import in_full_precision, numbers
from skgeom._core._permutation import SMALLEST
from skgeom._core.sums._spaces import squared_agreement
from skgeom._frames import frame_of
from skgeom._validation import check_several
from skgeom._warnings import warn
from skgeom.comparison._checks import check_same_rows, check_space
from skgeom.comparison._null import p_value
from skgeom.comparison._relation import debiased_null
from skgeom.comparison._spaces import debiased_cka

_TELLABLE = 1e-6


@dataclass(frozen=True)
class SpaceComparison:
    """Debiased CKA of each pair of spaces, and of unrelated ones: the result of `compare`.

    Attributes
    ----------
    names : tuple of str
        The spaces.
    n_rows : int
        Number of rows.
    cka : ndarray of shape (n_spaces, n_spaces)
        Debiased CKA, symmetric, 1 on the diagonal.
    null_std : float
        Its standard deviation between unrelated spaces, √(2 / (n (n - 3))); the mean is 0.
    pvalues : ndarray of shape (n_spaces, n_spaces)
        Probability that unrelated spaces reach the value; NaN on the diagonal, and where it is not available.
    """

    names: tuple[str, ...]
    n_rows: int
    cka: np.ndarray
    null_std: float
    pvalues: np.ndarray

    @property
    def zscores(self) -> np.ndarray:
        """The values over their standard deviation between unrelated spaces."""
        return self.cka / self.null_std

    def table(self) -> str:
        """Return the values as text, with the p-values that exceed 1e-6 in brackets."""
        cells = [list(map(_cell, values, pvalues)) for values, pvalues in zip(self.cka, self.pvalues, strict=True)]
        width = max(len(text) for row in [self.names, *cells] for text in row)
        lines = ["".rjust(width) + "".join(f"  {name:>{width}}" for name in self.names)]
        for name, row in zip(self.names, cells, strict=True):
            lines.append(name.rjust(width) + "".join(f"  {text:>{width}}" for text in row))
        return "\n".join(lines)

    __str__ = table

    def to_frame(self) -> Any:
        """Return one row per pair of spaces, as a pandas frame.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        i, j = np.triu_indices(len(self.names), 1)
        names = np.array(self.names, dtype=object)
        return frame_of(
            {
                "first": names[i],
                "second": names[j],
                "cka": self.cka[i, j],
                "zscore": self.zscores[i, j],
                "pvalue": self.pvalues[i, j],
            }
        )


@in_full_precision
def compare(spaces: Any) -> SpaceComparison:
    r"""Compare many representations of the same rows, such as the layers of a model, by debiased CKA.

    Parameters
    ----------
    spaces : sequence of arrays of shape (n_samples, n_features), dict of them, or array of that depth
        The representations, which may differ in width. The keys of a dict are their names; an array has shape
        (n_spaces, n_samples, n_features).

    Returns
    -------
    SpaceComparison
        The values of all pairs, their z-scores and p-values against unrelated spaces.

    Warns
    -----
    UserWarning
        If a p-value is not available, for instance because one row dominates a space.

    Raises
    ------
    ValueError
        If there are fewer than two spaces, one is not a finite matrix of at least 6 rows, they differ in rows, library
        or device, or all rows of one are equal or equally far from one another.

    See Also
    --------
    cka : The value of one pair.
    relation_test : Other statistics, and random orders of the rows.

    Notes
    -----
    The mean between unrelated spaces is 0 and the variance 2 / (n (n - 3)) for all data; the p-value follows from the
    skewness. O(L² n d²) time for L spaces, and beside them their L scatter matrices and a block of rows in memory: no
    n x n array.

    Examples
    --------
    >>> import numpy as np
    >>> from skgeom.comparison import compare
    >>> rng = np.random.default_rng(0)
    >>> first = rng.normal(size=(60, 8))
    >>> print(compare({"first": first, "second": first[:, :6], "other": rng.normal(size=(60, 5))}))
                         first        second         other
           first          1.00          0.78  0.04 (0.056)
          second          0.78          1.00  0.07 (0.005)
           other  0.04 (0.056)  0.07 (0.005)          1.00
    """
    names, clouds = _named(spaces)
    if len(clouds) < 2:
        raise ValueError(f"Expected at least two spaces to compare, got {len(clouds)}.")
    rows = check_same_rows(*clouds, names=names, min_samples=SMALLEST)
    found = [check_space(x, name) for x, name in zip(rows, names, strict=True)]
    values, pvalues = np.eye(len(found)), np.full((len(found), len(found)), np.nan)
    pairs = list(combinations(range(len(found)), 2))
    agreements = numbers([squared_agreement(found[i], found[j]) for i, j in pairs]).tolist()
    for (i, j), agreement in zip(pairs, agreements, strict=True):
        null = debiased_null(found[i], found[j])
        values[i, j] = values[j, i] = debiased_cka(agreement, found[i], found[j])
        if null.is_told:
            pvalues[i, j] = pvalues[j, i] = p_value(null, values[i, j])
        else:
            warn(
                f"The p-value of {names[i]} and {names[j]} is not available, since few rows dominate their inner "
                "products: use relation_test(n_permutations=999) for this pair."
            )
    n = found[0].n
    return SpaceComparison(names, n, values, (2 / (n * (n - 3))) ** 0.5, pvalues)


def _named(spaces: Any) -> tuple[tuple[str, ...], list[Any]]:
    if isinstance(spaces, Mapping):
        return tuple(map(str, spaces)), list(spaces.values())
    if isinstance(spaces, Iterable) and not hasattr(spaces, "ndim"):
        spaces = list(spaces)
    clouds = check_several(spaces, "spaces", "representation", "[X, Y]")
    return tuple(f"space {i}" for i in range(len(clouds))), clouds


def _cell(value: float, p: float) -> str:
    return f"{value:.2f} ({p:.3f})" if p > _TELLABLE else f"{value:.2f}"
